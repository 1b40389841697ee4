import AviaryTensors

extension Image {
  /// Pictures side by side, row by row, on one sheet with `spacing` pixels between them and around.
  ///
  /// Cells are as large as the largest picture; smaller ones lie in the cell's upper left corner. The sheet is grey when all pictures and
  /// the background are. Sizes are those of torchvision's `make_grid`.
  public static func grid(
    _ images: [Image], columns: Int, spacing: Int = 2, background: Colour = .black
  ) -> Image {
    require(!images.isEmpty, "a sheet of no pictures")
    require(columns > 0 && spacing >= 0, "a sheet of \(columns) columns with a spacing of \(spacing) pixels")
    let isGrey = background == Colour(grey: background.red) && images.allSatisfy { $0.model == .grey }
    let model: Model = isGrey ? .grey : .rgb
    let channels = model.channelCount
    let columns = min(columns, images.count)
    let rows = (images.count + columns - 1) / columns
    let stepX = images.reduce(0) { max($0, $1.width) } + spacing
    let stepY = images.reduce(0) { max($0, $1.height) } + spacing
    let width = columns * stepX + spacing
    let paint = [background.red, background.green, background.blue]
    return Image(width: width, height: rows * stepY + spacing, model: model) { target in
      for index in target.indices { target[index] = paint[index % channels] }
      for (index, image) in images.enumerated() {
        let pixels = image.converted(to: model).pixels
        let left = index % columns * stepX + spacing
        let upper = index / columns * stepY + spacing
        let length = image.width * channels
        for y in 0..<image.height {
          let start = ((upper + y) * width + left) * channels
          _ = target[start..<start + length].update(fromContentsOf: pixels[y * length..<(y + 1) * length])
        }
      }
    }
  }
}
