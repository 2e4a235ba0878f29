/* north, private: what the routes do, and what they share. */
#pragma once

#include "north/north_int.h"

/* ours.c */
void serve_switches(struct call *c);
void serve_switch(struct call *c);
void serve_ports(struct call *c);
void serve_flows(struct call *c);
void serve_groups(struct call *c);
void serve_meters(struct call *c);
void serve_tables(struct call *c);
void serve_macs(struct call *c);
void serve_links(struct call *c);
void serve_hosts(struct call *c);
void serve_host(struct call *c);
void serve_paths(struct call *c);
void serve_stored(struct call *c);
void serve_events(struct call *c);
void serve_counters(struct call *c);
void serve_process(struct call *c);
void serve_topology(struct call *c);
void do_flow_add(struct call *c);
void do_flow_modify(struct call *c);
void do_flow_delete(struct call *c);
void do_group_add(struct call *c);
void do_group_modify(struct call *c);
void do_group_delete(struct call *c);
void do_group_delete_onos(struct call *c);
void do_meter_add(struct call *c);
void do_meter_modify(struct call *c);
void do_meter_delete(struct call *c);
void do_meter_delete_onos(struct call *c);
void do_port(struct call *c);
void do_role(struct call *c);
void do_disconnect(struct call *c);
/* The command itself; done: the status of success. */
void do_flow(struct call *c, uint64_t dpid, struct ofp_flow *f, unsigned done);
void do_group(struct call *c, uint64_t dpid, enum ofp_mod_command command, unsigned done);
void do_meter(struct call *c, uint64_t dpid, enum ofp_mod_command command, unsigned done);
void do_role_of(struct call *c, uint64_t dpid, json_t *role);
/* The body's boolean at key for the port of path argument 1. */
void do_port_state(struct call *c, const char *key);
/* Both ends of a path from the path's arguments; false: c is answered. */
bool path_ends(struct call *c, struct sdn_ask *q);
/* All cores' counters added up; each core's into cores if not NULL.  NULL: c is answered. */
json_t *counters_sum(struct call *c, json_t *cores);

/* pof.c */
void serve_pof(struct call *c);
void serve_pof_switch(struct call *c);
void do_pof_add(struct call *c);
void do_pof_delete(struct call *c);

/* page.c */
void serve_page(struct call *c);

/* ryu.c, ryu_topology.c */
void ryu_switches(struct call *c);
void ryu_desc(struct call *c);
void ryu_flows(struct call *c);
void ryu_aggregate(struct call *c);
void ryu_ports(struct call *c);
void ryu_port_desc(struct call *c);
void ryu_tables(struct call *c);
void ryu_groups(struct call *c);
void ryu_group_desc(struct call *c);
void ryu_meters(struct call *c);
void ryu_meter_config(struct call *c);
void ryu_role(struct call *c);
void ryu_flow_add(struct call *c);
void ryu_flow_modify(struct call *c);
void ryu_flow_modify_strict(struct call *c);
void ryu_flow_delete(struct call *c);
void ryu_flow_delete_strict(struct call *c);
void ryu_flow_clear(struct call *c);
void ryu_group_add(struct call *c);
void ryu_group_modify(struct call *c);
void ryu_group_delete(struct call *c);
void ryu_meter_add(struct call *c);
void ryu_meter_modify(struct call *c);
void ryu_meter_delete(struct call *c);
void ryu_set_role(struct call *c);
void ryu_port_modify(struct call *c);
void ryu_topology_switches(struct call *c);
void ryu_topology_switch(struct call *c);
void ryu_topology_links(struct call *c);
void ryu_topology_hosts(struct call *c);

/* onos.c, onos_flow.c */
void onos_devices(struct call *c);
void onos_device_get(struct call *c);
void onos_device_ports(struct call *c);
void onos_all_ports(struct call *c);
void onos_port_state(struct call *c);
void onos_links(struct call *c);
void onos_hosts(struct call *c);
void onos_host(struct call *c);
void onos_paths(struct call *c);
void onos_topology(struct call *c);
void onos_port_stats(struct call *c);
void onos_port_stats_of(struct call *c);
void onos_table_stats(struct call *c);
void onos_mastership(struct call *c);
void onos_flows(struct call *c);
void onos_flows_of(struct call *c);
void onos_flow_get(struct call *c);
void onos_flow_add(struct call *c);
void onos_flows_add(struct call *c);
void onos_flow_delete(struct call *c);
void onos_groups(struct call *c);
void onos_groups_of(struct call *c);
void onos_group_add(struct call *c);
void onos_meters(struct call *c);
void onos_meters_of(struct call *c);
void onos_meter_add(struct call *c);
