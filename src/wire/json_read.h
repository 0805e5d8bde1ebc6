/* json_read.h - limits of netron_value_parse(), which is declared in netron/value.h. */
#ifndef NT_WIRE_JSON_READ_H
#define NT_WIRE_JSON_READ_H

enum {
    NT_JSON_DEPTH_MAX = 64,      /* arrays and objects within each other */
    NT_JSON_NUMBER_MAX = 2048,   /* characters of one number */
    NT_JSON_VALUES_MAX = 1 << 20 /* values and names not yet put into an array or object */
};

#endif
