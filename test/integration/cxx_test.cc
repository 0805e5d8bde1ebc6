// cxx_test.cc - a service written in C++ behind a connection: what it throws is an answer, and fibers
// that wait inside catch blocks keep their own exceptions. A plain program: 0 when all claims hold.
#include <netron/netron.h>

#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

NETRON_READ_END(amounts, f64);
NETRON_WRITE_END(receipts, str);
NETRON_SERVICE(shop, "shop@1.0.0", price, fail, retry, items, sum, bill, note, sold);
NETRON_METHOD(shop, price, f64, (str, name), (u32, count, 1));
NETRON_METHOD(shop, fail, none, (str, how));
/* Throws `name`, catches it, waits `ms` inside the catch block, and tells what it then rethrows. */
NETRON_METHOD(shop, retry, str, (str, name), (u32, ms));
NETRON_STREAM(shop, items, str, (u32, n), (u32, throw_at));
NETRON_METHOD(shop, sum, f64, (amounts, list));
NETRON_METHOD(shop, bill, none, (receipts, to));
NETRON_PROP_RW(shop, note, str);
NETRON_EVENT(shop, sold, (str, name), (f64, price));

struct shop__self {
    std::string note;
    int destroyed;
};
NETRON_ACCESS(shop, note);

namespace {

int failed;

#define CLAIM(claim)                                                                               \
    do {                                                                                           \
        if (!(claim)) {                                                                            \
            failed = 1;                                                                            \
            std::fprintf(stderr, "%s:%d: not so: %s (%s)\n", __FILE__, __LINE__, #claim,           \
                netron_last_error()->message);                                                     \
        }                                                                                          \
    } while (0)

std::string text_of(netron_str text)
{
    return text.size != 0 ? std::string(text.data, text.size) : std::string();
}

netron_str result_of(netron_ctx *ctx, const std::string &text)
{
    char *copy = static_cast<char *>(netron_alloc(ctx, text.size() + 1));
    text.copy(copy, text.size());
    netron_str result = {copy, text.size()};
    return result;
}

/* Counts how often it goes out of scope. */
struct guard {
    explicit guard(shop__self *owner) : self(owner)
    {
    }
    ~guard()
    {
        self->destroyed++;
    }
    shop__self *self;
};

} // namespace

netron_err shop__sum_impl(netron_ctx *, shop__self *, amounts list, double *result)
{
    netron_err err;
    *result = 0;
    netron_each(price, &err, list)
        *result += price;
    return err;
}

netron_err shop__bill_impl(netron_ctx *, shop__self *, receipts to)
{
    NETRON_TRY(receipts__write(&to, netron_s("one")));
    receipts__end(&to, NETRON_OK, nullptr);
    return NETRON_OK;
}

netron_err shop__price_impl(netron_ctx *ctx, shop__self *, netron_str name, uint32_t count,
    double *result)
{
    std::vector<double> prices(count, 1.25);
    *result = 0;
    for (double price : prices)
        *result += price;
    return shop__sold_emit(ctx, name, *result);
}

netron_err shop__fail_impl(netron_ctx *ctx, shop__self *self, netron_str how)
{
    guard g(self);
    NETRON_TRY(netron_yield(ctx));
    if (text_of(how) == "std")
        throw std::runtime_error("thrown in C++");
    if (text_of(how) == "int")
        throw 42;
    return netron_fail(ctx, NETRON_GONE, "returned, not thrown");
}

netron_err shop__retry_impl(netron_ctx *ctx, shop__self *self, netron_str name, uint32_t ms,
    netron_str *result)
{
    guard g(self);
    try {
        throw std::runtime_error(text_of(name));
    } catch (...) {
        netron_err err = netron_sleep(ctx, ms);
        if (err != NETRON_OK)
            return err;
        try {
            throw; /* which one is it by now? */
        } catch (const std::runtime_error &mine) {
            NETRON_TRY(netron_sleep(ctx, ms));
            *result = result_of(ctx, mine.what());
        }
    }
    if (std::current_exception() != nullptr)
        return netron_fail(ctx, NETRON_INTERNAL, "an exception was left behind");
    return NETRON_OK;
}

netron_err shop__items_impl(netron_ctx *, shop__self *self, uint32_t n, uint32_t throw_at,
    shop__items_out *out)
{
    guard g(self);
    for (uint32_t i = 0; i < n; i++) {
        if (i == throw_at)
            throw std::out_of_range("item " + std::to_string(i));
        std::string item = "item " + std::to_string(i);
        netron_str view = {item.data(), item.size()};
        NETRON_TRY(shop__items_yield(out, view));
    }
    return NETRON_OK;
}

netron_err shop__note_get_impl(netron_ctx *ctx, shop__self *self, netron_str *value)
{
    *value = result_of(ctx, self->note);
    return NETRON_OK;
}

netron_err shop__note_set_impl(netron_ctx *, shop__self *self, netron_str value)
{
    if (value.size > 10)
        throw std::length_error("a note of over 10 bytes");
    self->note = text_of(value);
    return NETRON_OK;
}
NETRON_PROVIDE(shop, price, fail, retry, items, sum, bill, note, sold);

namespace {

struct nodes {
    netron *server, *client;
    netron_peer *peer;
    shop__self self;
    shop proxy;
    netron_scope scope;
    netron_call_options options;
};

void on_sold(void *user, netron_str name, double price)
{
    *static_cast<std::string *>(user) += text_of(name) + " " + std::to_string(price).substr(0, 4);
    throw std::runtime_error("a handler of an event throws");
}

void check_answers(nodes &n)
{
    double price = 0;
    netron_str text;
    std::string sold;
    netron_subscription *subscription = nullptr;
    CLAIM(shop__sold_on(&n.proxy, on_sold, nullptr, &sold, &subscription) == NETRON_OK);
    CLAIM(shop_price(&n.proxy, netron_s("pear"), 4, &price) == NETRON_OK);
    CLAIM(price > 4.99 && price < 5.01);
    CLAIM(sold == "pear 5.00");
    netron_unsubscribe(subscription);
    CLAIM(shop__note_set(&n.proxy, netron_s("short")) == NETRON_OK);
    CLAIM(shop__note_get(netron_with(&n.proxy, n.options), &text) == NETRON_OK);
    CLAIM(text_of(text) == "short");
}

void check_throwing(nodes &n)
{
    CLAIM(shop_fail(&n.proxy, netron_s("std")) == NETRON_INTERNAL);
    CLAIM(std::string(netron_last_error()->message) == "thrown in C++");
    CLAIM(shop_fail(&n.proxy, netron_s("int")) == NETRON_INTERNAL);
    CLAIM(shop_fail(&n.proxy, netron_s("")) == NETRON_GONE);
    CLAIM(n.self.destroyed == 3);
    CLAIM(shop__note_set(&n.proxy, netron_s("far too long a note")) == NETRON_INTERNAL);
    CLAIM(std::string(netron_last_error()->message) == "a note of over 10 bytes");
    CLAIM(n.self.note == "short");
}

void check_streams(nodes &n)
{
    netron_err err = NETRON_OK;
    int items = 0;
    netron_each(item, &err, shop_items(&n.proxy, 1000, 2000))
        items += text_of(item) == "item " + std::to_string(items);
    CLAIM(err == NETRON_OK && items == 1000);
    items = 0;
    netron_each(item, &err, shop_items(&n.proxy, 10, 7))
        items++;
    CLAIM(err == NETRON_INTERNAL && items == 7);
    int before = n.self.destroyed;
    try {
        netron_each(item, &err, shop_items(&n.proxy, UINT32_MAX, UINT32_MAX))
            if (text_of(item) == "item 20")
                throw std::runtime_error("the reader leaves");
        CLAIM(false);
    } catch (const std::runtime_error &) {
    }
    /* The generator's objects are destroyed before the next call is answered. */
    CLAIM(shop_fail(&n.proxy, netron_s("")) == NETRON_GONE);
    CLAIM(n.self.destroyed == before + 2);
}

void check_ends(nodes &n)
{
    amounts list;
    amounts__writer to;
    double sum = 0;
    CLAIM(amounts__open(n.peer, &list, &to) == NETRON_OK);
    shop__sum_future call = shop__sum_start(&n.proxy, list);
    for (int i = 1; i <= 4; i++)
        CLAIM(amounts__write(&to, i * 0.5) == NETRON_OK);
    amounts__end(&to, NETRON_OK, nullptr);
    CLAIM(shop__sum_wait(&call, &sum) == NETRON_OK && sum > 4.99 && sum < 5.01);
    receipts out;
    receipts__reader from;
    netron_str receipt;
    CLAIM(receipts__open(n.peer, &out, &from) == NETRON_OK);
    CLAIM(shop_bill(&n.proxy, out) == NETRON_OK);
    CLAIM(receipts__next(&from, &receipt) && text_of(receipt) == "one");
    CLAIM(!receipts__next(&from, &receipt));
    CLAIM(receipts__close(&from) == NETRON_OK);
}

/* Several handlers wait inside their catch blocks at once, in no order of nesting. */
void check_fibers_in_catch_blocks(nodes &n)
{
    static const char *const names[] = {"one", "two", "three", "four", "five"};
    static const uint32_t ms[] = {8, 1, 5, 3, 6};
    shop__retry_future futures[5];
    for (int i = 0; i < 5; i++)
        futures[i] = shop__retry_start(netron_with(&n.proxy, n.options), netron_s(names[i]), ms[i]);
    for (int i = 0; i < 5; i++) {
        netron_str text = {nullptr, 0};
        CLAIM(shop__retry_wait(&futures[i], &text) == NETRON_OK);
        CLAIM(text_of(text) == names[i]);
    }
    /* One that is cancelled there leaves nothing behind either. */
    shop__retry_future late = shop__retry_start(netron_with(&n.proxy, n.options), netron_s("late"), 60000);
    CLAIM(netron_sleep(netron_context(n.client), 2) == NETRON_OK);
    shop__retry_drop(&late);
    netron_str text = {nullptr, 0};
    CLAIM(shop_retry(netron_with(&n.proxy, n.options), netron_s("last"), 1, &text) == NETRON_OK);
    CLAIM(text_of(text) == "last");
    CLAIM(std::current_exception() == nullptr);
}

netron_err throw_and_wait(netron_ctx *ctx, void *arg)
{
    try {
        throw std::string(static_cast<const char *>(arg));
    } catch (const std::string &) {
        NETRON_TRY(netron_sleep(ctx, 2));
        try {
            throw;
        } catch (const std::string &mine) {
            return mine == static_cast<const char *>(arg) ? NETRON_OK : NETRON_CONFLICT;
        }
    }
}

void check_spawned_fibers_in_catch_blocks(nodes &n)
{
    static char a[] = "a", b[] = "b";
    netron_ctx *ctx = netron_context(n.client);
    netron_fiber *one = nullptr, *two = nullptr;
    try {
        throw 7; /* main is inside a catch block too */
    } catch (int seven) {
        CLAIM(netron_spawn(ctx, throw_and_wait, a, &one) == NETRON_OK);
        CLAIM(netron_spawn(ctx, throw_and_wait, b, &two) == NETRON_OK);
        CLAIM(netron_join(ctx, one, nullptr) == NETRON_OK);
        CLAIM(netron_join(ctx, two, nullptr) == NETRON_OK);
        try {
            throw;
        } catch (int again) {
            CLAIM(seven == 7 && again == 7);
        }
    }
}

} // namespace

int main()
{
    nodes n = {};
    netron_options options = {};
    options.listen = "tcp://127.0.0.1:0";
    n.server = netron_new(&options);
    CLAIM(n.server != nullptr);
    options = netron_options();
    options.loop = netron_loop(n.server);
    n.client = netron_new(&options);
    n.options.scope = &n.scope;
    n.options.timeout_ms = 120000;
    CLAIM(shop__expose(n.server, &n.self) == NETRON_OK);
    CLAIM(netron_connect(n.client, netron_listening(n.server, 0), &n.peer) == NETRON_OK);
    CLAIM(shop__query(n.peer, &n.proxy) == NETRON_OK);
    check_answers(n);
    check_throwing(n);
    check_streams(n);
    check_ends(n);
    check_fibers_in_catch_blocks(n);
    check_spawned_fibers_in_catch_blocks(n);
    shop__release(&n.proxy);
    netron_scope_end(&n.scope);
    netron_free(n.client);
    netron_free(n.server);
    return failed;
}
