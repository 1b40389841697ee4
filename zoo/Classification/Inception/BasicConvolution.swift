import AviaryLayers
import AviaryTensors

/// A convolution without bias, batch normalization, ReLU: what Inception networks are made of.
package final class BasicConvolution: Layer {
  /// The convolution, without bias.
  package let conv: Conv2d
  /// The normalization, which stands for the bias.
  package let bn: BatchNorm

  /// - Parameter deviation: standard deviation of the kernel's first values.
  init(
    _ inputs: Int, _ outputs: Int, kernel: Extents, stride: Extents = 1, padding: Extents = 0,
    _ batchNorm: BatchNormStyle, deviation: Float
  ) {
    conv = Conv2d(
      inputs, outputs, kernel: kernel, stride: stride, padding: .symmetric(padding), bias: false,
      initializer: .truncatedNormal(standardDeviation: deviation))
    bn = batchNorm(outputs)
  }

  /// N×C×H×W to N×O×H×W, less where the convolution has a stride or no padding; never negative.
  package func callAsFunction(_ input: Tensor) -> Tensor { bn.rectified(conv(input)) }
}

/// Sequences of layers side by side on one input, their results concatenated along the channels.
///
/// The names of all layers are those of this module's parts; layers without parameters, and branches inside a branch, have none.
package final class Branches: Layer, Container {
  /// Layers one after another under the names of their tensors; "" for those without any.
  package typealias Branch = [(name: String, layer: any Layer)]
  private let branches: [Branch]

  init(_ branches: Branch...) { self.branches = branches }

  /// The layers of all branches, those of branches inside a branch among them.
  package var namedChildren: [(name: String, module: any Module)] {
    branches.flatMap(\.self).flatMap { part in
      (part.layer as? Branches)?.namedChildren ?? [(part.name, part.layer)]
    }
  }

  /// The branches' results N×Cᵢ×H×W, in their order, as N×ΣCᵢ×H×W.
  package func callAsFunction(_ input: Tensor) -> Tensor {
    concatenate(branches.map { callInSequence($0.map(\.layer), on: input) }, axis: 1)
  }
}
