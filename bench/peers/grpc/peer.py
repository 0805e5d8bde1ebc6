"""gRPC C++: HTTP/2 and Protocol Buffers."""
from harness.peer import Peer

PEER = Peer(
    name="grpc",
    title="gRPC C++",
    packages=("libgrpc++-dev", "libprotobuf-dev", "protobuf-compiler-grpc", "g++", "pkg-config"),
    programs=("protoc", "grpc_cpp_plugin", "g++", "pkg-config"),
    headers=("grpcpp/grpcpp.h", "google/protobuf/message.h"),
    build=(
        ("sh", "-c", 'protoc -I"$0" --cpp_out=. --grpc_out=. --plugin=protoc-gen-grpc="$(command -v '
         'grpc_cpp_plugin)" calculator.proto', "{here}"),
        ("cc", "-O2", "-D_GNU_SOURCE", "-I{bench}", "-c", "{bench}/measure.c"),
        ("sh", "-c", 'g++ -std=c++17 -O2 -I. -I"$0" "$1" calculator.grpc.pb.cc calculator.pb.cc measure.o '
         "$(pkg-config --libs grpc++) -lprotobuf -o grpc", "{bench}", "{here}/grpc.cc"),
    ),
    server=("{out}/grpc", "serve", "{url}"),
    url="tcp://127.0.0.1:0",
    client=("{out}/grpc",),
    shapes=("1", "64", "1024", "100x64", "stream", "download", "upload", "idle"),
    most={"items": 10000},
    minor=("1024", "100x64", "idle"),
    is_slow=True,
    version=("dpkg-query", "-W", "-f", "${Version}", "libgrpc++-dev"),
)
