import AviaryLayers
import AviaryTensors
import AviaryWeights

/// The network that a portable file's metadata describes: a whole one or one with a new head, for an input of its own.
struct DescribedNetwork {
  /// C×H×W.
  let input: Shape
  private let dialect: Dialect
  private let card: Card
  private let defaultInput: Shape
  /// Of a network with a new head: the last stage it kept, and the widths of the head's linear layers.
  private let transfer: (branch: String, widths: [Int], junction: TransferModel.Junction)?
  private let file: String

  /// Throws `WeightsError` when the metadata makes no sense for the model, or for the tensors beside it.
  init(
    _ metadata: PortableMetadata, _ dialect: Dialect, _ entry: ZooEntry, _ card: Card,
    _ tensors: WeightArchive, classes: Int, file: String
  ) throws {
    self.dialect = dialect
    self.card = card
    self.file = file
    defaultInput = dialect.inputShape(card)
    let configuration = metadata.configuration
    if case .string(let branch) = configuration?["branch"], let head = configuration?["head"] {
      let widths = head.integers ?? []
      guard !widths.isEmpty, widths.last == classes, widths.allSatisfy({ 1..<(1 << 24) ~= $0 }) else {
        throw WeightsError(.malformed, "the head \(widths) does not end in \(classes) classes", file: file)
      }
      // Files from before there was a choice have heads that flatten.
      let name = configuration?["junction"] ?? .string(TransferModel.Junction.flatten.rawValue)
      guard case .string(let text) = name, let junction = TransferModel.Junction(rawValue: text) else {
        throw WeightsError(.unsupported, "the head reads \(name), which no head here does", file: file)
      }
      transfer = (branch, widths, junction)
    } else {
      transfer = nil
    }
    guard let described = configuration?["input"] else {
      input = defaultInput
      return
    }
    let whole = dialect.make(card.classes)
    let resizable = whole as? any ResizableModel
    let step = resizable?.sideStep
    guard let input = described.integers, input.count == 3, 1...4096 ~= input[0], input[1] == input[2],
      1...(1 << 14) ~= input[1], input[1].isMultiple(of: step ?? 1),
      step != nil || input[1] == defaultInput[1] || entry.smallestSide.map({ input[1] >= $0 }) == true
    else { throw WeightsError(.malformed, "\(entry.name) takes no input of \(described)", file: file) }
    // A few digits must not make room for millions of values: what depends on the input has to be there.
    let channels = whole.firstConvolution.flatMap {
      tensors.spec("\($0.name).weight")?.shape.dropFirst().first
    }
    guard input[0] == defaultInput[0] || input[0] == channels,
      resizable == nil || input[1] == defaultInput[1] || input[1] == resizable?.side(of: tensors)
    else {
      throw WeightsError(
        .malformed, "the tensors are not for the input \(input.shapeText) that the metadata says", file: file)
    }
    self.input = input
  }

  /// The network for a number of classes, the file's or another.
  func build(classes: Int) throws -> any StagedModel {
    let whole = dialect.make(transfer == nil ? classes : card.classes)
    if input[0] != defaultInput[0] {
      guard let convolution = whole.firstConvolution?.layer, convolution.groups == 1 else {
        throw WeightsError(.malformed, "the input \(input) has channels that cannot be changed", file: file)
      }
      convolution.adapt(inputs: input[0])
    }
    if let resizable = whole as? any ResizableModel { resizable.resize(to: input[1]) }
    guard let transfer else { return whole }
    do throws(StageError) {
      return try TransferModel(
        whole, branch: transfer.branch, head: transfer.widths.dropLast() + [classes],
        junction: transfer.junction, inputShape: input)
    } catch {
      throw WeightsError(.mismatched, error.description, file: file)
    }
  }
}

extension JSONValue {
  /// The numbers of an array that holds nothing but whole ones.
  fileprivate var integers: [Int]? {
    guard case .array(let values) = self else { return nil }
    let integers = values.compactMap { if case .integer(let value) = $0 { value } else { nil } }
    return integers.count == values.count ? integers : nil
  }
}
