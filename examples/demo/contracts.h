/* contracts.h - what the demo node offers: one service for each kind of thing that netron can do. */
#ifndef DEMO_CONTRACTS_H
#define DEMO_CONTRACTS_H

#include <netron/netron.h>

/* Methods, a stream, properties, an event. */
NETRON_SERVICE(calculator, "calculator@1.0.0", add, divide, fibonacci, version, precision, computed);
NETRON_METHOD (calculator, add,       i64, (i64, a), (i64, b));
NETRON_METHOD (calculator, divide,    f64, (f64, a), (f64, b));
NETRON_STREAM (calculator, fibonacci, u64, (u32, n));
NETRON_PROP_RO(calculator, version,   str);
NETRON_PROP_RW(calculator, precision, i32);
NETRON_EVENT  (calculator, computed,  (str, op), (f64, result));
NETRON_DOC    (calculator, add,       "Adds two integers.");
NETRON_DOC    (calculator, divide,    "a / b, rounded to `precision` decimals.");
NETRON_DOC    (calculator, fibonacci, "The first n Fibonacci numbers.");

/* Records. */
NETRON_STRUCT (user, (str, id), (str, name));
NETRON_SERVICE(users, "users@1.0.0", version, get_user_by_id);
NETRON_PROP_RO(users, version, str);
NETRON_METHOD (users, get_user_by_id, user, (str, id));
NETRON_WIRE_NAME(users, get_user_by_id, "getUserById");

/* A stream of records; how many readers left before its end. */
NETRON_STRUCT (data_chunk, (u32, index), (bytes, payload));
NETRON_SERVICE(feed, "feed@1.0.0", stream_data, left);
NETRON_STREAM (feed, stream_data, data_chunk, (u32, count));
NETRON_PROP_RO(feed, left, u32);
NETRON_WIRE_NAME(feed, stream_data, "streamData");

/* A property with a closed set of values; a method without a result. */
NETRON_ENUM   (account_status, active, inactive);
NETRON_SERVICE(account, "account@1.0.0", status, activate, deactivate);
NETRON_PROP_RO(account, status, account_status);
NETRON_METHOD (account, activate, none);
NETRON_METHOD (account, deactivate, none);

/* Two versions of one service, side by side. */
NETRON_SERVICE(auth_v1, "auth@1.0.0", whoami);
NETRON_METHOD (auth_v1, whoami, str, (str, token));
NETRON_SERVICE(auth_v2, "auth@2.0.0", whoami);
NETRON_METHOD (auth_v2, whoami, str, (str, token), (str, realm));

/* A number with a fraction. */
NETRON_SERVICE(kinds, "kinds@1.0.0", calculate);
NETRON_METHOD (kinds, calculate, f64, (f64, x));

/* A method that waits, and holds up nobody. */
NETRON_STRUCT (data, (u32, id), (str, text));
NETRON_SERVICE(slow, "slow@1.0.0", fetch_data);
NETRON_METHOD (slow, fetch_data, data, (u32, wait_ms));
NETRON_WIRE_NAME(slow, fetch_data, "fetchData");

#endif
