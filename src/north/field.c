#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "north/north_int.h"

bool why_say(struct why *w, const char *how, ...)
{
    va_list args;

    va_start(args, how);
    vsnprintf(w->text, sizeof(w->text), how, args);
    va_end(args);
    return false;
}

bool number_read(const char *s, uint64_t *out)
{
    bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
    const char *digits = hex ? s + 2 : s;
    char *end;

    if (digits[0] == '\0' ||
        digits[strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789")] != '\0')
        return false;
    errno = 0;
    *out = strtoull(digits, &end, hex ? 16 : 10);
    return errno == 0;
}

bool number_in(json_t *v, uint64_t max, const char *where, uint64_t *out, struct why *w)
{
    if (json_is_integer(v)) {
        if (json_integer_value(v) < 0)
            return why_say(w, "%s: is negative", where);
        *out = (uint64_t)json_integer_value(v);
    } else if (json_is_string(v)) {
        if (!number_read(json_string_value(v), out))
            return why_say(w, "%s: '%.60s' is not a number", where, json_string_value(v));
    } else {
        return why_say(w, "%s: not a number", where);
    }
    if (*out > max)
        return why_say(w, "%s: is more than %llu", where, (unsigned long long)max);
    return true;
}

static const struct {
    const char *name;
    uint32_t no;
} reserved[] = {
    {"IN_PORT", OFPP_IN_PORT}, {"TABLE", OFPP_TABLE}, {"NORMAL", OFPP_NORMAL},
    {"FLOOD", OFPP_FLOOD},     {"ALL", OFPP_ALL},     {"CONTROLLER", OFPP_CONTROLLER},
    {"LOCAL", OFPP_LOCAL},     {"ANY", OFPP_ANY},
};

bool port_in(json_t *v, const char *where, uint32_t *out, struct why *w)
{
    const char *s = json_string_value(v);
    uint64_t n;

    for (size_t i = 0; s != NULL && i < ARRAY_LEN(reserved); i++) {
        /* Ryu's users write "CONTROLLER", those of the command line in small letters. */
        const char *name = strncasecmp(s, "OFPP_", 5) == 0 ? s + 5 : s;
        if (strcasecmp(name, reserved[i].name) == 0) {
            *out = reserved[i].no;
            return true;
        }
    }
    if (!number_in(v, UINT32_MAX, where, &n, w))
        return false;
    if (n == 0)
        return why_say(w, "%s: there is no port 0", where);
    *out = (uint32_t)n;
    return true;
}

/* ---- one value in text, as the wire has it ---- */

static bool mac_text(const char *s, uint8_t *out)
{
    struct mac_addr m;

    if (!mac_read(s, &m))
        return false;
    memcpy(out, m.b, 6);
    return true;
}

/* A prefix length as a mask. */
static bool prefix_mask(const char *s, unsigned bytes, uint8_t *mask)
{
    uint64_t n;

    if (!number_read(s, &n) || n > bytes * 8)
        return false;
    for (unsigned i = 0; i < bytes; i++) {
        unsigned bits = n > i * 8 ? (unsigned)n - i * 8 : 0;
        mask[i] = bits >= 8 ? 0xff : (uint8_t)(0xff00u >> bits);
    }
    return true;
}

enum value_kind { VALUE_NUMBER, VALUE_MAC, VALUE_IPV4, VALUE_IPV6 };

static enum value_kind kind_of(enum ofp_field f)
{
    if (f == OFPF_IPV4_SRC || f == OFPF_IPV4_DST || f == OFPF_ARP_SPA || f == OFPF_ARP_TPA)
        return VALUE_IPV4;
    if (ofp_field_info(f)->bytes == 16)
        return VALUE_IPV6;
    return ofp_field_info(f)->bits == 48 ? VALUE_MAC : VALUE_NUMBER;
}

static bool value_text(enum ofp_field f, const char *s, uint8_t *out)
{
    const struct ofp_field_info *info = ofp_field_info(f);
    uint64_t n;

    switch (kind_of(f)) {
    case VALUE_MAC:
        return mac_text(s, out);
    case VALUE_IPV4:
        return inet_pton(AF_INET, s, out) == 1;
    case VALUE_IPV6:
        return inet_pton(AF_INET6, s, out) == 1;
    case VALUE_NUMBER:
        break;
    }
    /* VLAN identifiers have their presence in bit 12. */
    if (!number_read(s, &n) || (info->bits < 64 && n >> info->bits != 0))
        return false;
    for (unsigned i = 0; i < info->bytes; i++)
        out[i] = (uint8_t)(n >> 8 * (info->bytes - 1 - i));
    return true;
}

static bool mask_text(enum ofp_field f, const char *s, uint8_t *out)
{
    enum value_kind k = kind_of(f);

    if ((k == VALUE_IPV4 || k == VALUE_IPV6) && prefix_mask(s, ofp_field_info(f)->bytes, out))
        return true;
    return value_text(f, s, out);
}

/* A decimal VLAN id means a tag with it; what is hexadecimal has bit 12 as it is meant. */
static bool vlan_in(const char *s, const char *where, struct ofp_match *m, struct why *w)
{
    uint64_t n;

    if (strcasecmp(s, "none") == 0 || strcasecmp(s, "any") == 0) {
        uint8_t present[2] = {0x10, 0}, no[2] = {0, 0};
        bool none = strcasecmp(s, "none") == 0;
        ofp_match_set(m, OFPF_VLAN_VID, none ? no : present, none ? NULL : present);
        return true;
    }
    if (!number_read(s, &n) || n > 0x1fff || (s[0] != '0' && n > 4095))
        return why_say(w, "%s: '%.40s' is no VLAN id (0..4095)", where, s);
    ofp_match_set_u64(m, OFPF_VLAN_VID, s[0] == '0' && s[1] != '\0' ? n : n | 0x1000);
    return true;
}

bool field_in(enum ofp_field f, json_t *v, const char *where, struct ofp_match *m, struct why *w)
{
    const struct ofp_field_info *info = ofp_field_info(f);
    uint8_t value[OFP_VALUE_MAX] = {0}, mask[OFP_VALUE_MAX] = {0};
    char text[128];

    if (ofp_match_find(m, f) != NULL)
        return why_say(w, "%s: %s is there twice", where, info->name);
    if (f == OFPF_IN_PORT) {
        uint32_t no;
        if (!port_in(v, where, &no, w))
            return false;
        ofp_match_set_u64(m, f, no);
        return true;
    }
    if (json_is_integer(v))
        snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(v));
    else if (json_is_string(v) && json_string_length(v) < sizeof(text))
        memcpy(text, json_string_value(v), json_string_length(v) + 1);
    else
        return why_say(w, "%s: neither a number nor a short string", where);
    char *slash = strchr(text, '/');
    if (f == OFPF_VLAN_VID && slash == NULL)
        return vlan_in(text, where, m, w);
    if (slash != NULL)
        *slash++ = '\0';
    if (!value_text(f, text, value))
        return why_say(w, "%s: '%.60s' is no value of %s (%u bits)", where, text, info->name,
                       info->bits);
    if (slash == NULL) {
        ofp_match_set(m, f, value, NULL);
        return true;
    }
    if (!info->maskable)
        return why_say(w, "%s: %s takes no mask", where, info->name);
    if (!mask_text(f, slash, mask))
        return why_say(w, "%s: '%.60s' is no mask of %s", where, slash, info->name);
    bool all = true, none = true;
    for (unsigned i = 0; i < info->bytes; i++) {
        value[i] &= mask[i];
        all = all && mask[i] == 0xff;
        none = none && mask[i] == 0;
    }
    if (!none)
        ofp_match_set(m, f, value, all ? NULL : mask);
    return true;
}
