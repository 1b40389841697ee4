import AviaryTensors
import CSignals
import Foundation

/// How the program ends when it cannot go on and no error can be thrown: with a sentence and the status 1, never with a dump.
///
/// Who looks for a mistake asks for the dump: `SWIFT_BACKTRACE=enable=yes`.
enum Endings {
  static func install() {
    Requirement.ending.withLock {
      $0 = { message in end_with(TerminalText.escaped("aviary: \(message)", newlines: .escaped) + "\n") }
    }
    if getenv("SWIFT_BACKTRACE") == nil {
      end_on_fatal_signals(
        FatalTexts(
          mistake: kept("aviary: ended by a mistake of its own; SWIFT_BACKTRACE=enable=yes shows where\n"),
          shortage: kept("aviary: out of memory\n"),
          cut_input: kept("aviary: an input file was cut short while it was read\n")))
    }
  }

  /// Text that stays: handlers may ask for no memory.
  private static func kept(_ text: StaticString) -> UnsafePointer<CChar> {
    UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
  }
}
