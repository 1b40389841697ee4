import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights
import TestSupport
import Testing

@testable import AviaryZoo

@Suite("Whitening and colouring")
struct WhiteningTests {
  /// Activations whose channels belong together.
  private func activations(_ seed: UInt64, side: Int) -> Tensor {
    withRandomSeed(seed) {
      let mixing = Tensor.normal([8, 8])
      return (mixing.matmul(.normal([8, side * side])) + .normal([8, 1]) * 3).reshaped([1, 8, side, side])
    }
  }

  private func covariance(_ activations: Tensor) -> (mean: Tensor, products: Tensor) {
    let rows = activations.reshaped([activations.shape[1], activations.shape[2] * activations.shape[3]])
    let mean = rows.mean([1], keepsAxes: true)
    let centred = rows - mean
    return (mean, centred.matmul(centred.permuted([1, 0])) / Float(rows.shape[1] - 1))
  }

  @Test("the result has the style's means and covariances; a picture's own change nothing")
  func moments() {
    let (content, style) = (activations(1, side: 12), activations(2, side: 7))
    let result = WhiteningColouring.adapted(content, to: style)
    #expect(result.shape == content.shape)
    let (found, wanted) = (covariance(result), covariance(style))
    #expect(relativeDifference(found.mean, wanted.mean) < 1e-4)
    #expect(relativeDifference(found.products, wanted.products) < 1e-3)
    #expect(relativeDifference(WhiteningColouring.adapted(content, to: content), content) < 1e-3)
  }

  @Test("activations that are everywhere the same give or take their means alone")
  func constant() {
    let plain = Tensor((0..<8 * 20).map { Float($0 / 20) }, shape: [1, 8, 4, 5])
    let style = activations(2, side: 7)
    let toPlain = WhiteningColouring.adapted(style, to: plain)
    #expect(toPlain.values().enumerated().allSatisfy { abs($0.element - Float($0.offset / 49)) < 1e-4 })
    let ofPlain = covariance(WhiteningColouring.adapted(plain, to: style))
    #expect(relativeDifference(ofPlain.mean, covariance(style).mean) < 1e-4)
    #expect(ofPlain.products.values().allSatisfy { abs($0) < 1e-4 })
  }

  @Test("as a setting of adain, in stylize alone; one colour and few pixels are no obstacle")
  func styled() throws {
    let settings: Settings = ["level": .integer(1), "transform": .string("wct")]
    let loaded = try withRandomSeed(3) {
      try Zoo.untrainedNetwork(try Catalogue.entry("adain"), settings: settings)
    }
    let pictures: NamedTensors = ["content": .zeros([1, 3, 8, 8]), "style": .zeros([1, 3, 8, 8])]
    let error = #expect(throws: SignatureError.self) { try loaded.check(pictures) }
    #expect(error?.given == "wct")
    nonisolated(unsafe) let network = loaded
    let stylizer = try Stylizer(network)
    let plain = Image(width: 5, height: 4, model: .rgb, pixels: [UInt8](repeating: 90, count: 60))
    let scene = SceneGenerator(width: 24, height: 16).picture(0).image
    for (content, style) in [(scene, scene), (scene, plain), (plain, scene), (plain, plain)] {
      let result = try stylizer.stylize(
        content, named: "\(content.width)", styles: [.init(style)], alpha: 0.5)
      #expect(result.width == content.width && result.height == content.height)
    }
  }
}
