/// A kind of file that holds weights.
public enum WeightFormat: String, Sendable, Hashable, CaseIterable {
  /// Safetensors with Aviary's metadata.
  case portable
  /// Safetensors without it.
  case safetensors
  /// `layer_names` at the root.
  case kerasWeights = "keras-h5-weights"
  /// The same beside a model's configuration.
  case kerasModel = "keras-h5-model"
  /// `.weights.h5` of Keras 3.
  case kerasPaths = "keras-weights-h5"
  /// An HDF5 file of no framework.
  case hdf5
  /// One NumPy array, which has no name in the file and is called `array`.
  case npy
  /// A zip file of named NumPy arrays.
  case npz
  /// What `torch.save` writes since PyTorch 1.6: a zip file around a pickle.
  case torchZip = "pytorch-zip"
  /// What it wrote before 1.6: pickles, then the data.
  case torchLegacy = "pytorch-legacy"
  /// What PyTorch 0.1 wrote; recognised, but not read.
  case torchTar = "pytorch-tar"
  /// `.keras` of Keras 3: a zip file of configuration and weights.
  case kerasZip = "keras-zip"
  /// An index of safetensors (or PyTorch) files that hold one model together.
  case shards = "sharded"
  /// An index of `.weights.h5` files of Keras 3.
  case kerasShards = "keras-sharded"
  /// `.weights` of darknet: numbers without names, in the order of a `.cfg`.
  case darknet

  /// One line for people.
  public var summary: String {
    switch self {
    case .portable: "Aviary portable weights (safetensors)"
    case .safetensors: "safetensors"
    case .kerasWeights: "Keras HDF5 weights (legacy)"
    case .kerasModel: "Keras HDF5 model (legacy)"
    case .kerasPaths: "Keras 3 .weights.h5"
    case .hdf5: "HDF5"
    case .npy: "NumPy array"
    case .npz: "NumPy archive"
    case .torchZip: "PyTorch zip checkpoint"
    case .torchLegacy: "PyTorch checkpoint from before 1.6"
    case .torchTar: "PyTorch 0.1 tar checkpoint"
    case .kerasZip: "Keras 3 .keras model"
    case .shards: "sharded weights"
    case .kerasShards: "sharded Keras 3 weights"
    case .darknet: "darknet .weights"
    }
  }

  /// The formats that a file of this name may have, by its ending; nil where the ending says nothing.
  public static func promised(by path: String) -> Set<WeightFormat>? {
    let path = path.lowercased()
    let endings: [(String, Set<WeightFormat>)] = [
      (".safetensors", [.portable, .safetensors]), (".weights.h5", [.kerasPaths]),
      (".h5", [.kerasWeights, .kerasModel, .hdf5]), (".hdf5", [.kerasWeights, .kerasModel, .hdf5]),
      (".keras", [.kerasZip]), (".npz", [.npz]), (".npy", [.npy]),
      (".pth", [.torchZip, .torchLegacy]), (".pt", [.torchZip, .torchLegacy]),
      (".ckpt", [.torchZip, .torchLegacy]), (".bin", [.torchZip, .torchLegacy]),
      (".weights", [.darknet]),
    ]
    return endings.first { path.hasSuffix($0.0) }?.1
  }

  /// Throws `WeightsError` when the ending of `path` promises another format: whoever opens the file later would be misled.
  public func requireEnding(of path: String) throws(WeightsError) {
    guard let promised = WeightFormat.promised(by: path), !promised.contains(self) else { return }
    let names = promised.map(\.summary).sorted().joined(separator: " or ")
    throw WeightsError(
      .unsupported, "the ending promises \(names), but \(summary) would be written", file: path)
  }

  /// The formats that ``WeightFile/write(_:to:as:floats:)`` writes.
  public static let writable: [WeightFormat] = [
    .portable, .safetensors, .kerasWeights, .kerasPaths, .npz, .darknet,
  ]
}
