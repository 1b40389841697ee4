import Foundation

/// A server on this machine that speaks HTTPS with a certificate that nobody signed: `openssl s_server`, which sends files as they are.
public final class SecureServer: Sendable {
  public let address: String
  /// The file with the certificate, for clients that are to trust it.
  public let certificate: String
  private let folder: URL
  private let process: Process

  /// Whether this machine has the program.
  public static let isAvailable = (try? run(["version"], in: FileManager.default.temporaryDirectory)) == 0

  /// Serves the whole answers, head and body, by the paths they are asked for.
  ///
  /// - Parameter host: whom the certificate is for.
  public init(_ answers: [String: LocalServer.Reply], host: String = "IP:127.0.0.1") throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("aviary-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for (name, answer) in answers {
      try Data(answer.head + answer.body).write(to: folder.appendingPathComponent(name))
    }
    certificate = folder.appendingPathComponent("certificate.pem").path
    let status = try Self.run(
      [
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost", "-addext",
        "subjectAltName=\(host)", "-keyout", "key.pem", "-out", "certificate.pem",
      ], in: folder)
    guard status == 0 else { throw CocoaError(.featureUnsupported) }
    process = Self.openssl(
      ["s_server", "-accept", "127.0.0.1:0", "-HTTP", "-cert", "certificate.pem", "-key", "key.pem"],
      in: folder)
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    // It says where it listens once it does.
    var text = ""
    var port: Substring?
    while port == nil {
      let data = output.fileHandleForReading.availableData
      guard !data.isEmpty else { throw CocoaError(.fileReadUnknown) }
      text += String(decoding: data, as: UTF8.self)
      port = text.firstMatch(of: #/ACCEPT \S+:(\d+)\n/#)?.1
    }
    address = "https://127.0.0.1:\(port!)"
    LocalServer.bypassProxy
  }

  deinit {
    // A gentler signal may be blocked in a child.
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    try? FileManager.default.removeItem(at: folder)
  }

  private static func openssl(_ words: [String], in folder: URL) -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["openssl"] + words
    process.currentDirectoryURL = folder
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    return process
  }

  private static func run(_ words: [String], in folder: URL) throws -> Int32 {
    let process = openssl(words, in: folder)
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus
  }
}
