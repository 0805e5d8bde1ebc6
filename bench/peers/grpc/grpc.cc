// grpc.cc - gRPC C++: a server with reactors, a client with a completion queue.
#include "../calls.h"
#include "calculator.grpc.pb.h"

#include <cstdio>
#include <cstring>
#include <grpcpp/grpcpp.h>
#include <memory>
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

void fill(bench::Item &item, uint64_t number)
{
    item.set_value(number);
}

// A chunk begins with its number.
void fill(bench::Chunk &chunk, uint64_t number)
{
    if (chunk.data().empty())
        chunk.set_data(std::string(PEER_CHUNK, '\0'));
    memcpy(&(*chunk.mutable_data())[0], &number, sizeof number);
}

// Sends so many items or chunks.
template <typename Item> class Sender : public grpc::ServerWriteReactor<Item>
{
  public:
    explicit Sender(uint64_t count) : count_(count)
    {
        next();
    }

    void OnWriteDone(bool ok) override
    {
        if (ok)
            next();
        else
            this->Finish(grpc::Status::CANCELLED);
    }

    void OnDone() override
    {
        delete this;
    }

  private:
    void next()
    {
        if (at_ == count_) {
            this->Finish(grpc::Status::OK);
            return;
        }
        fill(item_, at_++);
        this->StartWrite(&item_);
    }

    uint64_t count_, at_ = 0;
    Item item_;
};

// Takes chunks, and tells how many bytes they were.
class Taker : public grpc::ServerReadReactor<bench::Chunk>
{
  public:
    explicit Taker(bench::Count *bytes) : bytes_(bytes)
    {
        StartRead(&chunk_);
    }

    void OnReadDone(bool ok) override
    {
        if (ok) {
            peer_check_chunk(chunk_.data().data(), chunk_.data().size(), at_++);
            StartRead(&chunk_);
        } else {
            bytes_->set_value(at_ * PEER_CHUNK);
            Finish(grpc::Status::OK);
        }
    }

    void OnDone() override
    {
        delete this;
    }

  private:
    bench::Count *bytes_;
    bench::Chunk chunk_;
    uint64_t at_ = 0;
};

class Calculator : public bench::Calculator::CallbackService
{
    grpc::ServerUnaryReactor *Add(
        grpc::CallbackServerContext *context, const bench::Terms *terms, bench::Sum *sum) override
    {
        sum->set_value(terms->a() + terms->b());
        grpc::ServerUnaryReactor *reactor = context->DefaultReactor();
        reactor->Finish(grpc::Status::OK);
        return reactor;
    }

    grpc::ServerWriteReactor<bench::Item> *Range(
        grpc::CallbackServerContext *, const bench::Count *count) override
    {
        return new Sender<bench::Item>(count->value());
    }

    grpc::ServerWriteReactor<bench::Chunk> *Download(
        grpc::CallbackServerContext *, const bench::Count *count) override
    {
        return new Sender<bench::Chunk>(count->value());
    }

    grpc::ServerReadReactor<bench::Chunk> *Upload(
        grpc::CallbackServerContext *, bench::Count *bytes) override
    {
        return new Taker(bytes);
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

// ---- bulk ----

void run_download()
{
    std::unique_ptr<Stub> stub = connect();
    grpc::ClientContext context;
    bench::Count count;
    bench::Chunk chunk;
    count.set_value(options.bytes / PEER_CHUNK);
    bench_start(&meter, &options);
    bench_begin(&meter);
    auto reader = stub->Download(&context, count);
    while (reader->Read(&chunk))
        peer_check_chunk(chunk.data().data(), chunk.data().size(), meter.done++);
    if (!reader->Finish().ok() || meter.done != count.value())
        bench_fail("the download broke after %llu chunks", (unsigned long long)meter.done);
}

void run_upload()
{
    std::unique_ptr<Stub> stub = connect();
    grpc::ClientContext context;
    bench::Count bytes;
    bench::Chunk chunk;
    bench_start(&meter, &options);
    bench_begin(&meter);
    auto writer = stub->Upload(&context, &bytes);
    for (; meter.done < options.bytes / PEER_CHUNK; meter.done++) {
        fill(chunk, meter.done);
        if (!writer->Write(chunk))
            break;
    }
    writer->WritesDone();
    grpc::Status status = writer->Finish();
    if (!status.ok() || bytes.value() != options.bytes)
        bench_fail("the upload broke: %s", status.error_message().c_str());
}

// ---- idle connections ----

using Channels = std::vector<std::shared_ptr<grpc::Channel>>;

void open_channels(Channels &channels, size_t count)
{
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1); // a connection of its own
    while (channels.size() < count) {
        channels.push_back(
            grpc::CreateCustomChannel(address(), grpc::InsecureChannelCredentials(), arguments));
        gpr_timespec patience = gpr_time_from_seconds(10, GPR_TIMESPAN);
        if (!channels.back()->WaitForConnected(patience))
            bench_fail("connection %zu does not come about", channels.size());
    }
}

// A round of connecting and closing first, so that what a server sets up once is not counted.
void run_idle()
{
    Channels channels;
    unsigned few = options.connections / 100 + 1;
    open_channels(channels, few);
    channels.clear();
    open_channels(channels, few);
    bench_hold(few);
    open_channels(channels, options.connections);
    bench_hold(options.connections);
    _exit(0); // closing thousands of channels takes long
}

} // namespace

int main(int argc, char **argv)
{
    static const struct {
        const char *mode;
        void (*run)();
    } modes[] = {{"serve", serve}, {"calls", run_calls}, {"stream", run_stream},
        {"download", run_download}, {"upload", run_upload}, {"idle", run_idle}};
    options = bench_parse(argc, argv, "serve|calls|stream|download|upload|idle URL [OPTION]...");
    for (const auto &known : modes) {
        if (strcmp(known.mode, options.mode) != 0)
            continue;
        known.run();
        bench_print(&meter);
        return 0;
    }
    bench_fail("%s: no such mode", options.mode);
}
