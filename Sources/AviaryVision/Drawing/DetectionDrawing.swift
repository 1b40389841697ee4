import Foundation

extension Image {
  /// The picture in colour with a frame around each detection, and its label and score above the frame or, where there is no room, in it.
  ///
  /// Where there are masks, their pixels are tinted with the label's colour, the surest detection's above the others'.
  /// Each label has its colour of `palette`. Lines are as thick as the picture is large: a pixel per 240 of its shorter side; letters
  /// grow alike. Frames end at the picture's border, captions are moved and shortened to stay inside. A box beside the picture, or with
  /// an edge that is not a number, is not drawn.
  public func drawing(boxes detections: [Detection], palette: Palette = .hues) -> Image {
    let pen = max(min(width, height) / 240, 1)
    var canvas = Canvas(self)
    for detection in detections.reversed() {
      guard let mask = detection.mask, mask.width == width, mask.height == height else { continue }
      canvas.tint(mask, palette[detection.labelIndex], share: 0.45)
    }
    let places = detections.map { covered(by: $0.box) }
    for (detection, place) in zip(detections, places) {
      guard let place else { continue }
      canvas.frame(place.columns, place.rows, thickness: pen, palette[detection.labelIndex])
    }
    // All captions after all frames, which would cross them.
    for (detection, place) in zip(detections, places) {
      guard let place else { continue }
      let caption = Caption(detection, scale: pen, within: width)
      canvas.draw(caption, above: place, palette[detection.labelIndex])
    }
    return canvas.image
  }

  /// The pixels that a box covers, at least one in each direction; nil beside the picture.
  private func covered(by box: Box) -> (columns: Range<Int>, rows: Range<Int>)? {
    func pixels(_ start: Float, _ end: Float, _ length: Int) -> Range<Int>? {
      // Comparisons with what is not a number fail.
      guard start < Float(length), end > 0, start <= end else { return nil }
      let first = min(Int(max(start, 0).rounded()), length - 1)
      return first..<max(Int(min(end, Float(length)).rounded()), first + 1)
    }
    guard let columns = pixels(box.x1, box.x2, width), let rows = pixels(box.y1, box.y2, height) else {
      return nil
    }
    return (columns, rows)
  }
}

/// What stands at a detection's frame.
private struct Caption {
  /// Empty where not even the score has room.
  let text: String
  /// Pixels per dot of a letter.
  let scale: Int

  /// The label and the score; the label loses its end when both are wider than `width` pixels.
  init(_ detection: Detection, scale: Int, within width: Int) {
    self.scale = scale
    let score = String(format: "%.2f", detection.score)
    let room = (width / scale - 1) / BitmapFont.advance
    let label = detection.label.prefix(max(room - score.count - 1, 0))
    text = label.isEmpty ? (score.count <= room ? score : "") : label + " " + score
  }

  /// Of the filled rectangle: letters with a dot around them.
  var width: Int { (text.count * BitmapFont.advance + 1) * scale }
  var height: Int { (BitmapFont.height + 2) * scale }
}

extension Canvas {
  /// Draws a caption whose lower edge is the upper edge of a frame, or inside the frame where the picture ends.
  fileprivate mutating func draw(
    _ caption: Caption, above place: (columns: Range<Int>, rows: Range<Int>), _ colour: Colour
  ) {
    if caption.text.isEmpty { return }
    let x = min(place.columns.lowerBound, width - caption.width)
    let above = place.rows.lowerBound - caption.height
    let y = above >= 0 ? above : max(min(place.rows.lowerBound, height - caption.height), 0)
    fill(x..<x + caption.width, y..<y + caption.height, colour)
    write(caption.text, x: x + caption.scale, y: y + caption.scale, scale: caption.scale, colour.ink)
  }
}
