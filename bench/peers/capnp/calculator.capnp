# calculator.capnp - the calculator of the bench, as Cap'n Proto knows it.
@0xd7c1e0b4a5f39826;

interface Calculator {
  add @0 (a :Int64, b :Int64) -> (sum :Int64);
}
