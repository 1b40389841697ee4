import AviaryLayers
import AviaryTensors
import AviaryWeights

/// A network whose weights exist as numbers without names, in an order that it knows.
protocol StreamedNetwork: Network {
  /// Our names of the tensors in the order of a `.weights` file, and what the file has of each.
  var stream: [(name: String, piece: DarknetPiece)] { get }
}

extension StreamedNetwork {
  /// The numbers of a file under our names. Throws `WeightsError` when there are fewer or more than the network has.
  func archive(ofStream file: WeightArchive) throws -> WeightArchive {
    guard let numbers = file[DarknetFile.stream], numbers.rank == 1 else {
      throw WeightsError(.mismatched, "a darknet file has one list of numbers")
    }
    let stream = stream
    let expected = stream.reduce(0) { $0 + $1.piece.shape.elementCount }
    guard numbers.count == expected else {
      let isShort = numbers.count < expected
      throw WeightsError(
        isShort ? .truncated : .mismatched,
        "the network has \(expected) numbers, the weights have \(numbers.count)"
          + (isShort ? ": \(end(after: numbers.count))" : ""))
    }
    var archive = WeightArchive()
    var position = 0
    for (name, piece) in stream {
      let count = piece.shape.elementCount
      try archive.append(
        name,
        Tensor(
          numbers.sliced(0, position..<position + count).values(), shape: piece.shape))
      position += count
    }
    // What the files of a fork leave out has the value that the fork begins with.
    for entry in stateEntries where archive.spec(entry.name) == nil {
      try archive.append(entry.name, entry.value)
    }
    archive.metadata = file.metadata
    return archive
  }

  /// Where a file with too few numbers ends: that of a backbone does between two layers.
  private func end(after count: Int) -> String {
    var position = 0
    for (name, piece) in stream {
      if position == count { return "they end before \(name)" }
      position += piece.shape.elementCount
      if position > count { return "they end within \(name)" }
    }
    return "they end behind the last layer"
  }

  /// The network's tensors in the order of a file.
  func stream(of archive: WeightArchive) throws -> WeightArchive {
    var result = try archive.selecting(stream.map { ($0.name, $0.name) })
    result.darknet = DarknetHeader()
    return result
  }
}

extension Darknet: StreamedNetwork {
  var stream: [(name: String, piece: DarknetPiece)] {
    layers.enumerated().flatMap { number, layer in
      layer.stream.map { ("layers.\(number).\($0.name)", $0) }
    }
  }
}
