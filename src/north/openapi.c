/* The routing table as an OpenAPI 3 document; the bodies' schemas are written out. */
#include <string.h>

#include "north/serve.h"

static const struct {
    const char *name, *schema;
} schemas[] = {
    {"Flow",
     "{\"type\":\"object\",\"properties\":{\"table_id\":{\"type\":\"integer\"},\"priority\":"
     "{\"type\":\"integer\",\"default\":32768},\"cookie\":{\"type\":\"integer\"},"
     "\"idle_timeout\":{\"type\":\"integer\"},\"hard_timeout\":{\"type\":\"integer\"},"
     "\"flags\":{\"type\":\"integer\"},\"strict\":{\"type\":\"boolean\"},\"match\":{\"$ref\":"
     "\"#/components/schemas/Match\"},\"actions\":{\"type\":\"array\",\"items\":{\"$ref\":"
     "\"#/components/schemas/Action\"}}},\"example\":{\"priority\":100,\"match\":{\"in_port\":1},"
     "\"actions\":[{\"type\":\"OUTPUT\",\"port\":2}]}}"},
    {"Match", "{\"type\":\"object\",\"description\":\"fields by OpenFlow 1.3's or 1.0's name; "
              "a mask follows '/'\",\"example\":{\"eth_type\":2048,\"ipv4_dst\":\"10.0.0.0/8\"}}"},
    {"Action", "{\"type\":\"object\",\"properties\":{\"type\":{\"type\":\"string\"},\"port\":"
               "{\"type\":\"integer\"}},\"required\":[\"type\"]}"},
    {"Group",
     "{\"type\":\"object\",\"properties\":{\"dpid\":{\"type\":\"integer\"},\"group_id\":{\"type\":"
     "\"integer\"},\"type\":{\"enum\":[\"ALL\",\"SELECT\",\"INDIRECT\",\"FF\"]},\"buckets\":"
     "{\"type\":\"array\",\"items\":{\"type\":\"object\"}}},\"required\":[\"group_id\"]}"},
    {"Meter",
     "{\"type\":\"object\",\"properties\":{\"dpid\":{\"type\":\"integer\"},\"meter_id\":{\"type\":"
     "\"integer\"},\"flags\":{},\"bands\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}},"
     "\"required\":[\"meter_id\"]}"},
    {"Port", "{\"type\":\"object\",\"properties\":{\"up\":{\"type\":\"boolean\"}},\"required\":"
             "[\"up\"]}"},
    {"Role", "{\"type\":\"object\",\"properties\":{\"role\":{\"enum\":[\"MASTER\",\"SLAVE\","
             "\"EQUAL\",\"NOCHANGE\"]}},\"required\":[\"role\"]}"},
    {"PofEntry", "{\"type\":\"object\"}"},
    {"OnosPort", "{\"type\":\"object\",\"properties\":{\"enabled\":{\"type\":\"boolean\"}},"
                 "\"required\":[\"enabled\"]}"},
    {"OnosFlow",
     "{\"type\":\"object\",\"properties\":{\"priority\":{\"type\":\"integer\"},\"timeout\":"
     "{\"type\":\"integer\"},\"isPermanent\":{\"type\":\"boolean\"},\"tableId\":{\"type\":"
     "\"integer\"},\"treatment\":{\"type\":\"object\"},\"selector\":{\"type\":\"object\"}}}"},
    {"OnosFlows", "{\"type\":\"object\",\"properties\":{\"flows\":{\"type\":\"array\",\"items\":"
                  "{\"$ref\":\"#/components/schemas/OnosFlow\"}}},\"required\":[\"flows\"]}"},
    {"OnosGroup", "{\"type\":\"object\",\"required\":[\"buckets\"]}"},
    {"OnosMeter", "{\"type\":\"object\",\"required\":[\"bands\"]}"},
    {"RyuFlow",
     "{\"type\":\"object\",\"properties\":{\"dpid\":{\"type\":\"integer\"},\"table_id\":{\"type\":"
     "\"integer\"},\"priority\":{\"type\":\"integer\",\"default\":0},\"match\":{\"$ref\":"
     "\"#/components/schemas/Match\"},\"actions\":{\"type\":\"array\",\"items\":{\"$ref\":"
     "\"#/components/schemas/Action\"}}}}"},
    {"RyuRole", "{\"type\":\"object\",\"required\":[\"dpid\",\"role\"]}"},
    {"RyuPort", "{\"type\":\"object\",\"required\":[\"dpid\",\"port_no\",\"config\",\"mask\"]}"},
};

static json_t *parameters(const char *path)
{
    json_t *list = json_array();

    for (const char *at = strchr(path, '{'); at != NULL; at = strchr(at + 1, '{')) {
        size_t n = strcspn(at + 1, "}");
        json_array_append_new(list, json_pack("{s:s%,s:s,s:b,s:{s:s}}", "name", at + 1, n, "in",
                                              "path", "required", 1, "schema", "type", "string"));
    }
    return list;
}

static json_t *operation(const struct route *r)
{
    const char *tag = strncmp(r->path, "/onos/", 6) == 0    ? "ONOS"
                      : strncmp(r->path, "/stats/", 7) == 0 ? "Ryu"
                      : strncmp(r->path, "/v1.0/", 6) == 0  ? "Ryu"
                                                            : "Millrace";
    json_t *op =
        json_pack("{s:s,s:[s],s:o,s:{s:{s:s},s:{s:s},s:{s:s},s:{s:s}}}", "summary", r->says, "tags",
                  tag, "parameters", parameters(r->path), "responses", "default", "description",
                  "{\"error\": where and what}", "200", "description", "done", "401", "description",
                  "a token is wanted", "404", "description", "no such thing");
    char ref[80];

    if (r->access == ACCESS_WRITE) {
        json_t *to = json_object_get(op, "responses");
        json_object_set_new(to, "202",
                            json_pack("{s:s}", "description", "kept; the switch is not connected"));
        json_object_set_new(to, "400", json_pack("{s:s}", "description", "a wrong body"));
        json_object_set_new(to, "502", json_pack("{s:s}", "description", "the switch refused"));
        json_object_set_new(to, "504", json_pack("{s:s}", "description", "no answer in time"));
    }
    if (r->access != ACCESS_OPEN)
        json_object_set_new(op, "security", json_pack("[{s:[]}]", "token"));
    if (r->body != NULL) {
        snprintf(ref, sizeof(ref), "#/components/schemas/%s", r->body);
        json_object_set_new(op, "requestBody",
                            json_pack("{s:b,s:{s:{s:{s:s}}}}", "required", r->verb != VERB_DELETE,
                                      "content", "application/json", "schema", "$ref", ref));
    }
    return op;
}

void serve_openapi(struct call *c)
{
    json_t *paths = json_object(), *components = json_object();

    for (size_t i = 0; i < n_routes; i++) {
        json_t *at = json_object_get(paths, routes[i].path);
        char verb[8] = "";
        for (size_t k = 0; verb_name(routes[i].verb)[k] != '\0'; k++)
            verb[k] = (char)(verb_name(routes[i].verb)[k] | 0x20);
        if (at == NULL) {
            at = json_object();
            json_object_set_new(paths, routes[i].path, at);
        }
        json_object_set_new(at, verb, operation(&routes[i]));
    }
    for (size_t i = 0; i < ARRAY_LEN(schemas); i++)
        json_object_set_new(components, schemas[i].name, json_loads(schemas[i].schema, 0, NULL));
    c->out = json_pack("{s:s,s:{s:s,s:s,s:s},s:o,s:{s:o,s:{s:{s:s,s:s}}}}", "openapi", "3.0.3",
                       "info", "title", "Millrace SDN controller", "version", "1", "description",
                       "Switches, flows and the network; also in the manner of ONOS and of Ryu",
                       "paths", paths, "components", "schemas", components, "securitySchemes",
                       "token", "type", "http", "scheme", "bearer");
}
