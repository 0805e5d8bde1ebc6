/* json_write.h - how netron_value_json(), which is declared in netron/value.h, writes each type.
 *
 * What JSON has no form for becomes the nearest that has one: bytes are base64 text, dates are RFC
 * 3339 text, NaN and infinity are null, undefined is null and as the value of a map's key drops the
 * key, BigInt is bare digits, a Set is an array, a Map an array of [key, value], an error is
 * {"name","message","code"}, a service {"id","parentId","peerId"} and its meta, a reference
 * {"reference":id}, a stream {"stream":id,"writable":…,"live":…,"peerId":…}, a RegExp the text
 * "/source/flags".
 */
#ifndef NT_WIRE_JSON_WRITE_H
#define NT_WIRE_JSON_WRITE_H

/* Values within each other. Deeper ones than can be read from the wire or from JSON: NULL, and
 * NETRON_INVALID in netron_last_error(). */
enum { NT_JSON_WRITE_DEPTH_MAX = 128 };

#endif
