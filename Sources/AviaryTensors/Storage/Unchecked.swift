/// Carries a value that the compiler cannot prove Sendable across threads: the one place where this
/// package says `@unchecked Sendable`.
///
/// Proof, for each of its uses: the value is a pointer or a library handle that is set once, before the object that
/// owns it is published, and never replaced; the memory behind a tensor's pointer is written only while
/// exactly one reference to its ``Storage`` exists, or, in a plan's arena, by the run that holds the lock around the plan, out of which no
/// tensor of the arena gets; a team's job is written only while none of its threads works, and each part of a loop writes places of its own; and oneDNN documents that descriptors, engines,
/// streams and primitives may be used from several threads at once.
struct Unchecked<Value>: @unchecked Sendable {
  let value: Value
  init(_ value: Value) { self.value = value }
}
