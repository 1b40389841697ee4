import AviaryLayers
import AviaryWeights

/// A ``ResNet`` without its classifier, through which captioners see.
public enum ResNetBody: String, Sendable, Hashable, CaseIterable {
  /// By the number of its layers.
  case resnet18, resnet34, resnet50, resnet101, resnet152

  private var configuration: ResNet.Configuration {
    switch self {
    case .resnet18: .resnet18
    case .resnet34: .resnet34
    case .resnet50: .resnet50
    case .resnet101: .resnet101
    case .resnet152: .resnet152
    }
  }

  /// The channels of its result.
  var features: Int { 512 * configuration.block.expansion }

  /// Its layers in the order in which PyTorch numbers them, without the mean and the linear layer at the end: N×3×H×W to N×D×H/32×W/32.
  var layers: [any Layer] {
    let network = ResNet(configuration, classes: nil)
    return [
      network.conv1, network.bn1, Activate(.relu), MaxPool2d(kernel: 3, stride: 2, padding: 1),
      network.layer1, network.layer2, network.layer3, network.layer4,
    ]
  }

  /// The one whose ``layers`` some weights have behind a prefix, as far as their numbers go; nil where it is none.
  init?(of weights: WeightArchive, at prefix: String) {
    func has(_ group: Int, _ block: Int, _ convolution: Int) -> Bool {
      weights.spec("\(prefix)\(group).\(block).conv\(convolution).weight") != nil
    }
    let found = Self.allCases.first { body in
      has(4, 0, 3) == (body.configuration.block == .bottleneck)
        && body.configuration.depths.enumerated().allSatisfy {
          has($0 + 4, $1 - 1, 2) && !has($0 + 4, $1, 2)
        }
    }
    guard let found else { return nil }
    self = found
  }
}
