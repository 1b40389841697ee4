import AviaryTensors

/// The gated feed-forward layers of transformers since LLaMA (Shazeer 2020, "GLU Variants Improve Transformer", equation 6):
/// W_down (silu(W_gate x) ⊙ W_up x), without biases. Names as Hugging Face's `LlamaMLP`.
public final class SwiGLU: Layer {
  /// D to the hidden features, before the gate's function.
  public let gateProj: Linear
  /// D to the hidden features that are gated.
  public let upProj: Linear
  /// The hidden features to D.
  public let downProj: Linear

  /// From D features (`width`) through `hidden` ones to D.
  public init(_ width: Int, hidden: Int) {
    gateProj = Linear(width, hidden, bias: false)
    upProj = Linear(width, hidden, bias: false)
    downProj = Linear(hidden, width, bias: false)
  }

  /// …×D to the same.
  public func callAsFunction(_ input: Tensor) -> Tensor {
    downProj(Activation.silu(gateProj(input)) * upProj(input))
  }
}
