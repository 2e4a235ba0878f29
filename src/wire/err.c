#include "wire/wire.h"

const char *wire_err_name(enum wire_err e)
{
    switch (e) {
    case WIRE_OK:
        return "ok";
    case WIRE_SHORT:
        return "short";
    case WIRE_VERSION:
        return "version";
    case WIRE_HLEN:
        return "header length";
    case WIRE_LEN:
        return "length";
    case WIRE_OPTION:
        return "option";
    case WIRE_FORMAT:
        return "format";
    }
    return "?";
}
