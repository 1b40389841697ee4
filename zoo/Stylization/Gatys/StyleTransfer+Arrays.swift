import AviaryTensors
import AviaryVision

extension StyleTransfer {
  /// A run at one size on what ``Gatys`` takes itself: `content` 1×3×H×W and `style` 1×3×h×w. What is black or white in them is cut off, and
  /// levels are rounded, as in pictures.
  ///
  /// - Throws: as for pictures; `NonFiniteError` for arrays that are not numbers.
  package convenience init(
    _ loaded: LoadedNetwork, content: Tensor, style: Tensor, options: StyleTransferOptions
  ) throws {
    let scale = PictureScale(try loaded.stylingPreprocessing())
    func picture(_ input: Tensor) throws -> Image { try scale.image(of: scale.values(ofInput: input)) }
    var options = options
    options.size = max(content.shape[2], content.shape[3])
    options.sizes = 1
    try self.init(
      loaded, content: try picture(content), styles: [.init(try picture(style))], options: options)
  }
}
