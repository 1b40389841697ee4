import AviaryLayers
import AviaryTensors
import AviaryVision

extension AdaIN: OnePassStylingNetwork {
  func styler(_ preprocessing: Preprocessing) -> @Sendable (SharedNetwork) -> any PictureStyler {
    let configuration = configuration
    return { AdaptiveStyle(network: $0, configuration, preprocessing) }
  }
}

/// Pictures through an encoder and a decoder that are compiled on their own: styles are mixed between them.
struct AdaptiveStyle: PictureStyler {
  let takesStyles = true
  let range: ClosedRange<Float> = 0...1
  private let pictures: PictureInput
  private let configuration: AdaIN.Configuration
  private let encoder: SharedNetwork
  private let decoder: SharedNetwork

  init(network: SharedNetwork, _ configuration: AdaIN.Configuration, _ preprocessing: Preprocessing) {
    pictures = PictureInput(preprocessing)
    self.configuration = configuration
    encoder = network.piece(inputs: ["picture"], outputs: ["activations"]) { (adain: AdaIN, tensors) in
      ["activations": adain.encoder(tensors["picture"])]
    }
    decoder = network.piece(inputs: ["activations"], outputs: ["picture"]) { (adain: AdaIN, tensors) in
      ["picture": adain.decoder(tensors["activations"])]
    }
  }

  private init(_ other: AdaptiveStyle) {
    (pictures, configuration) = (other.pictures, other.configuration)
    (encoder, decoder) = (other.encoder.copy(), other.decoder.copy())
  }

  func copy() -> AdaptiveStyle { AdaptiveStyle(self) }

  func styled(_ image: Image, named name: String, _ styles: [Stylizer.Style], alpha: Float) throws -> Tensor {
    let content = try activations(image, named: name)
    let mixed = try styles.reduce(Tensor(Float(0))) { sum, style in
      let wanted = try activations(style.image, named: style.name)
      let adapted =
        switch configuration.transform {
        case .moments: AdaIN.adapted(content, to: wanted)
        case .covariance: WhiteningColouring.adapted(content, to: wanted)
        }
      return sum + adapted * style.weight
    }
    let share = alpha * Float(configuration.alpha)
    return decoder(mixed * share + content * (1 - share))
      .sliced(2, 0..<image.height).sliced(3, 0..<image.width)
  }

  private func activations(_ image: Image, named name: String) throws -> Tensor {
    let picture = try pictures.input(image, named: name)
    return encoder(
      picture.enlarged(to: 1 << (configuration.level - 1), atLeast: configuration.smallestSide))
  }
}
