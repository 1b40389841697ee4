import Foundation
import TestSupport
import Testing

@testable import AviaryTensors

@Suite("Measured algorithms and their file")
struct AlgorithmMemoryTests {
  private let kernel = ConvolutionKernel(
    ConvolutionGeometry(stride: [1, 1], padding: Padding([1, 1])), input: [1, 16, 12, 12],
    weights: [16, 16, 3, 3])

  private func withFile(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "aviary-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder.appending(path: "deep/algorithms.json").path)
  }

  private func text(_ path: String) -> String {
    String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
  }

  @Test("what was measured is kept for the next process")
  func kept() throws {
    try withFile { path in
      let first = AlgorithmMemory(path: path).algorithm(for: kernel)
      #expect(text(path).contains(OneDNN.machine))
      // A choice nobody would measure shows that the second one reads the file.
      let other = ConvolutionKernel.Algorithm.allCases.first { $0 != first }!
      try text(path).replacingOccurrences(of: "\"\(first.rawValue)\"", with: "\"\(other.rawValue)\"")
        .write(toFile: path, atomically: true, encoding: .utf8)
      #expect(AlgorithmMemory(path: path).algorithm(for: kernel) == other)
    }
  }

  @Test(
    "a damaged or foreign file is ignored and replaced",
    arguments: [
      "", "{", "[1, 2]", #"{"machine": "another", "choices": {"x": "direct"}}"#, #"{"choices": 7}"#,
    ])
  func damaged(content: String) throws {
    try withFile { path in
      let folder = URL(filePath: path).deletingLastPathComponent()
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      try content.write(toFile: path, atomically: true, encoding: .utf8)
      _ = AlgorithmMemory(path: path).algorithm(for: kernel)
      #expect(text(path).contains(OneDNN.machine))
      #expect(text(path).contains("1×16×12×12"))
    }
  }

  @Test("a choice that was settled without measuring is not kept")
  func settled() throws {
    try withFile { path in
      let memory = AlgorithmMemory(path: path)
      memory.remember(.winograd2x3, for: kernel)
      #expect(memory.algorithm(for: kernel) == .winograd2x3)
      let larger = ConvolutionKernel(kernel.geometry, input: [1, 16, 20, 20], weights: [16, 16, 3, 3])
      _ = memory.algorithm(for: larger)
      #expect(text(path).contains("1×16×20×20") && !text(path).contains("1×16×12×12"))
    }
  }

  @Test("two memories on one file keep what either measured")
  func shared() throws {
    try withFile { path in
      let (a, b) = (AlgorithmMemory(path: path), AlgorithmMemory(path: path))
      _ = b.algorithm(for: kernel)
      let larger = ConvolutionKernel(kernel.geometry, input: [1, 16, 20, 20], weights: [16, 16, 3, 3])
      _ = a.algorithm(for: larger)
      _ = b.algorithm(
        for: ConvolutionKernel(kernel.geometry, input: [2, 16, 8, 8], weights: [16, 16, 3, 3]))
      for shape in ["1×16×12×12", "1×16×20×20", "2×16×8×8"] { #expect(text(path).contains(shape)) }
    }
  }

  @Test("a place that cannot be written only means measuring again")
  func unwritable() {
    _ = AlgorithmMemory(path: "/proc/none/algorithms.json").algorithm(for: kernel)
    _ = AlgorithmMemory(path: nil).algorithm(for: kernel)
  }
}
