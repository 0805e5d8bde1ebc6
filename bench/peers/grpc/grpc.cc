// grpc.cc - gRPC C++: a server with reactors, a client with a completion queue.
#include "calculator.grpc.pb.h"
#include "measure.h"

#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace {

bench_options options;
bench_meter meter;

std::string address()
{
    return std::string(options.url).substr(strlen("tcp://"));
}

// ---- the server ----

class Range : public grpc::ServerWriteReactor<bench::Item>
{
public:
    explicit Range(uint64_t count) : count_(count)
    {
        next();
    }

    void OnWriteDone(bool ok) override
    {
        if (ok)
            next();
        else
            Finish(grpc::Status::CANCELLED);
    }

    void OnDone() override
    {
        delete this;
    }

private:
    void next()
    {
        if (at_ == count_) {
            Finish(grpc::Status::OK);
            return;
        }
        item_.set_value(at_++);
        StartWrite(&item_);
    }

    uint64_t count_, at_ = 0;
    bench::Item item_;
};

class Calculator : public bench::Calculator::CallbackService
{
    grpc::ServerUnaryReactor *Add(grpc::CallbackServerContext *context, const bench::Terms *terms,
        bench::Sum *sum) override
    {
        sum->set_value(terms->a() + terms->b());
        grpc::ServerUnaryReactor *reactor = context->DefaultReactor();
        reactor->Finish(grpc::Status::OK);
        return reactor;
    }

    grpc::ServerWriteReactor<bench::Item> *Range(grpc::CallbackServerContext *,
        const bench::Count *count) override
    {
        return new ::Range(count->value());
    }
};

void serve()
{
    Calculator calculator;
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(address(), grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&calculator);
    std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (server == nullptr || port == 0)
        bench_fail("%s: cannot listen", options.url);
    printf("listening on tcp://127.0.0.1:%d\n", port);
    fflush(stdout);
    server->Wait();
}

// ---- the client ----

using Stub = bench::Calculator::Stub;

std::unique_ptr<Stub> connect()
{
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1); // a connection of its own
    return bench::Calculator::NewStub(
        grpc::CreateCustomChannel(address(), grpc::InsecureChannelCredentials(), arguments));
}

// One of the calls in flight; gRPC wants a new context for each call.
struct Call {
    Stub *stub;
    int64_t next;
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<bench::Sum>> reader;
    bench::Sum sum;
    grpc::Status status;

    void start(grpc::CompletionQueue *queue)
    {
        bench::Terms terms;
        terms.set_a(next);
        terms.set_b(1);
        context = std::make_unique<grpc::ClientContext>();
        reader = stub->AsyncAdd(context.get(), terms, queue);
        reader->Finish(&sum, &status, this);
    }

    void check()
    {
        if (!status.ok())
            bench_fail("%s", status.error_message().c_str());
        if (sum.value() != ++next)
            bench_fail("a wrong sum");
    }
};

void run_calls()
{
    grpc::CompletionQueue queue;
    std::vector<std::unique_ptr<Stub>> stubs;
    std::vector<Call> calls(options.connections * options.inflight);
    void *tag;
    bool ok;
    for (unsigned i = 0; i < options.connections; i++)
        stubs.push_back(connect());
    bench_start(&meter, &options);
    for (size_t i = 0; i < calls.size(); i++) {
        calls[i].stub = stubs[i % stubs.size()].get();
        calls[i].next = 70000 + (int64_t)i * 100000;
        calls[i].start(&queue);
    }
    for (size_t due = calls.size(); due != 0 && queue.Next(&tag, &ok);) {
        Call *call = static_cast<Call *>(tag);
        call->check();
        meter.done++;
        if (bench_is_over(&meter))
            due--;
        else
            call->start(&queue);
    }
    queue.Shutdown();
    while (queue.Next(&tag, &ok))
        continue;
}

void run_stream()
{
    std::unique_ptr<Stub> stub = connect();
    bench_start(&meter, &options);
    while (!bench_is_over(&meter)) {
        grpc::ClientContext context;
        bench::Count count;
        bench::Item item;
        uint64_t next = 0;
        count.set_value(options.items);
        auto reader = stub->Range(&context, count);
        while (reader->Read(&item))
            if (item.value() != next++)
                bench_fail("a wrong item");
        if (!reader->Finish().ok() || next != options.items)
            bench_fail("the stream broke after %llu items", (unsigned long long)next);
        meter.done += next;
    }
}

} // namespace

int main(int argc, char **argv)
{
    options = bench_parse(argc, argv, "serve|calls|stream URL [OPTION]...");
    if (strcmp(options.mode, "serve") == 0)
        serve();
    else if (strcmp(options.mode, "stream") == 0)
        run_stream();
    else
        run_calls();
    bench_print(&meter);
    return 0;
}
