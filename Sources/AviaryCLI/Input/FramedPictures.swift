import Aviary

/// Pictures of a data set in the size that a network makes, with black around them where they are smaller.
struct FramedPictures: Dataset {
  private let base: any Dataset
  private let shape: Shape

  /// MNIST's files where the folder has them, else pictures of a folder, in a folder for each class.
  ///
  /// - Throws: ``UsageError`` for pictures that are larger than those of the network.
  init(_ folder: String, isTraining: Bool, _ shape: Shape) throws {
    self.shape = shape
    let (channels, height, width) = (shape[0], shape[1], shape[2])
    if LabelledData.isMNIST(folder) {
      base = try MNIST(folder: folder, isTraining: isTraining)
      guard channels == 1, height >= 28, width >= 28 else {
        throw UsageError(
          "\(folder) has grey pictures of 28×28, but the network makes \(shape.map(String.init).joined(separator: "×"))"
        )
      }
      return
    }
    guard [1, 3].contains(channels) else {
      throw UsageError("the network makes pictures of \(channels) channels, but files have 1 or 3")
    }
    let preprocessing = Preprocessing(
      resize: .exact(width: width, height: height), channels: channels == 1 ? .grey : .rgb)
    base = try FolderDataset(folder, minimumClasses: 1) { path in
      preprocessing(try Image(contentsOf: path)).squeezed(0)
    }
  }

  var count: Int { base.count }
  var classNames: [String] { base.classNames }
  func label(_ index: Int) -> Int { base.label(index) }

  func input(_ index: Int) throws -> Tensor {
    let input = try base.input(index)
    let (height, width) = (shape[1] - input.shape[1], shape[2] - input.shape[2])
    guard height > 0 || width > 0 else { return input }
    let padding = Padding(
      before: [height / 2, width / 2], after: [height - height / 2, width - width / 2])
    return input.expandedAxis(at: 0).padded(spatially: padding).squeezed(0)
  }
}
