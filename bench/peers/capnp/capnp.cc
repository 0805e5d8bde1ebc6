// capnp.cc - Cap'n Proto RPC in C++, by its EzRpc classes.
#include "calculator.capnp.h"
#include "measure.h"

#include <capnp/ez-rpc.h>
#include <cstdio>
#include <cstring>
#include <string>
#include <unistd.h>
#include <vector>

namespace
{

bench_options options;
bench_meter meter;

std::string address()
{
    return std::string(options.url).substr(strlen("tcp://"));
}

// ---- the server ----

class CalculatorServer : public Calculator::Server
{
    kj::Promise<void> add(AddContext context) override
    {
        auto terms = context.getParams();
        context.getResults().setSum(terms.getA() + terms.getB());
        return kj::READY_NOW;
    }
};

void serve()
{
    capnp::EzRpcServer server(kj::heap<CalculatorServer>(), address());
    auto &scope = server.getWaitScope();
    printf("listening on tcp://127.0.0.1:%u\n", server.getPort().wait(scope));
    fflush(stdout);
    kj::NEVER_DONE.wait(scope);
}

// ---- the client ----

// One of the calls in flight: the next one starts when it is answered.
kj::Promise<void> call(Calculator::Client calculator, int64_t number)
{
    auto request = calculator.addRequest();
    request.setA(number);
    request.setB(1);
    return request.send().then([=](auto response) mutable -> kj::Promise<void> {
        if (response.getSum() != number + 1)
            bench_fail("a wrong sum");
        meter.done++;
        if (bench_is_over(&meter))
            return kj::READY_NOW;
        return call(kj::mv(calculator), number + 1);
    });
}

void run_calls()
{
    std::vector<kj::Own<capnp::EzRpcClient>> clients;
    auto calls = kj::heapArrayBuilder<kj::Promise<void>>(options.connections * options.inflight);
    for (unsigned i = 0; i < options.connections; i++)
        clients.push_back(kj::heap<capnp::EzRpcClient>(address()));
    bench_start(&meter, &options);
    for (unsigned i = 0; i < options.connections * options.inflight; i++)
        calls.add(call(clients[i % clients.size()]->getMain<Calculator>(), 70000 + i * 100000ll));
    kj::joinPromises(calls.finish()).wait(clients[0]->getWaitScope());
}

// ---- idle connections ----

using Clients = std::vector<kj::Own<capnp::EzRpcClient>>;

// Each has made a call, or it would not be connected yet.
void open_clients(Clients &clients, size_t count)
{
    while (clients.size() < count) {
        clients.push_back(kj::heap<capnp::EzRpcClient>(address()));
        auto request = clients.back()->getMain<Calculator>().addRequest();
        request.setA(70000);
        request.setB(1);
        if (request.send().wait(clients.back()->getWaitScope()).getSum() != 70001)
            bench_fail("a wrong sum");
    }
}

// A round of connecting and closing first, so that what a server sets up once is not counted.
void run_idle()
{
    Clients clients;
    unsigned few = options.connections / 100 + 1;
    open_clients(clients, few);
    clients.clear();
    open_clients(clients, few);
    bench_hold(few);
    open_clients(clients, options.connections);
    bench_hold(options.connections);
    _exit(0); // EzRpcClient closes thousands of connections slowly
}

} // namespace

int main(int argc, char **argv)
{
    options = bench_parse(argc, argv, "serve|calls|idle URL [OPTION]...");
    if (strcmp(options.mode, "serve") == 0)
        serve();
    else if (strcmp(options.mode, "idle") == 0)
        run_idle();
    else
        run_calls();
    bench_print(&meter);
    return 0;
}
