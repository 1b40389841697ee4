import Synchronization

/// Ends the program with a sentence when its author got something wrong: a shape that does not fit, a position outside of a tensor.
///
/// Swift's own `precondition` ends release builds too, but without a word; here what was given and what was expected is printed always.
/// What a program meets from outside (files, servers, pictures) is no misuse and is thrown as a typed error.
@inlinable @inline(__always)
package func require(
  _ condition: Bool, _ message: @autoclosure () -> String, file: StaticString = #fileID, line: UInt = #line
) {
  if !condition { requirementFailure(message(), file: file, line: line) }
}

/// Ends the program with a sentence, where no condition has to be asked.
@usableFromInline @inline(never)
package func requirementFailure(_ message: String, file: StaticString = #fileID, line: UInt = #line) -> Never
{
  if let end = Requirement.ending.withLock({ $0 }) { end(message) }
  fatalError(message, file: file, line: line)
}

/// What happens when something is required in vain.
package enum Requirement {
  /// Ends the program instead of `fatalError`. For programs whose users have not written them: those want a sentence and an exit status,
  /// not a dump of the stack.
  package static let ending = Mutex<(@Sendable (_ message: String) -> Never)?>(nil)
}
