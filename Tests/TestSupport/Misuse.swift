/// What a program's author gets wrong, and part of the sentence that has to end the program.
public struct Misuse: Sendable {
  public let sentence: String
  public let body: @Sendable () -> Void

  public init(_ sentence: String, _ body: @escaping @Sendable () -> Void) {
    self.sentence = sentence
    self.body = body
  }
}
