import AviaryLayers
import AviaryTensors
import AviaryWeights

/// A network whose weights exist as numbers without names, in an order that it knows.
protocol StreamedNetwork: Network {
  /// The numbers of a file under our names. Throws `WeightsError` when there are fewer or more than the network has.
  func archive(ofStream stream: WeightArchive) throws -> WeightArchive
  /// The network's tensors in the order of a file.
  func stream(of archive: WeightArchive) throws -> WeightArchive
}

extension Darknet: StreamedNetwork {
  /// The tensors in the order of a `.weights` file.
  private var pieces: [(name: String, layer: Int, piece: DarknetPiece)] {
    layers.enumerated().flatMap { number, layer in
      layer.stream.map { ("layers.\(number).\($0.name)", number, $0) }
    }
  }

  func archive(ofStream stream: WeightArchive) throws -> WeightArchive {
    guard let numbers = stream[DarknetFile.stream], numbers.rank == 1 else {
      throw WeightsError(.mismatched, "a darknet file has one list of numbers")
    }
    let pieces = pieces
    let expected = pieces.reduce(0) { $0 + $1.piece.shape.elementCount }
    guard numbers.count == expected else {
      throw WeightsError(
        numbers.count < expected ? .truncated : .mismatched,
        "the .cfg has \(expected) numbers, the weights have \(numbers.count)"
          + (numbers.count < expected ? ": \(end(after: numbers.count))" : ""))
    }
    var archive = WeightArchive()
    var position = 0
    for (name, _, piece) in pieces {
      let count = piece.shape.elementCount
      try archive.append(
        name, numbers.sliced(0, position..<position + count).reshaped(piece.shape))
      position += count
    }
    // What the files of a fork leave out has the value that the fork begins with.
    for entry in stateEntries where archive.spec(entry.name) == nil {
      try archive.append(entry.name, entry.value)
    }
    archive.metadata = stream.metadata
    return archive
  }

  /// Where a file with too few numbers ends.
  private func end(after count: Int) -> String {
    var position = 0
    var last: Int?
    for (name, layer, piece) in pieces {
      if position == count, layer != last {
        return "they end before layer \(layer), as those of a backbone do"
      }
      position += piece.shape.elementCount
      if position > count { return "they end within \(name)" }
      last = layer
    }
    return "they end behind the last layer"
  }

  func stream(of archive: WeightArchive) throws -> WeightArchive {
    var stream = try archive.selecting(pieces.map { ($0.name, $0.name) })
    stream.darknet = DarknetHeader()
    return stream
  }
}
