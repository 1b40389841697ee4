import Aviary
import Foundation
import TestSupport
import Testing

@testable import AviaryCLI

@Suite("Pictures of extreme sizes")
struct ExtremePictureTests {
  @Test("one pixel, and one row: detectors find nothing, a U-Net says what it takes")
  func small() throws {
    try withTemporaryFolder { folder in
      for (width, height) in [(1, 1), (4000, 1)] {
        let picture = "\(folder)/p.png"
        try writeNoise(picture, width: width, height: height)
        for model in ["yolov8_scenes", "fasterrcnn_scenes"] {
          let outcome = aviary("detect", model, picture, "--json")
          #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(model): \(outcome.errors)")
        }
        let segmented = aviary("segment", "unet_scenes", picture)
        #expect(segmented.status == 1, "\(segmented)")
        #expect(
          segmented.errors.contains("heights and widths from 16")
            && segmented.errors.split(separator: "\n").count == 1, "\(segmented.errors)")
      }
    }
  }

  @Test(
    "48 million pixels: a detector makes them smaller, what looks at every one refuses before it takes memory"
  )
  func large() throws {
    try withTemporaryFolder { folder in
      let picture = "\(folder)/p.png"
      try Image(
        width: 8000, height: 6000, model: .grey, pixels: .init(repeating: 77, count: 8000 * 6000)
      ).write(to: picture)
      let found = aviary("detect", "yolov8_scenes", picture)
      #expect(found.status == 0 && found.output.contains("no object"), "\(found.errors)")
      let segmented = aviary("segment", "unet_scenes", picture)
      #expect(
        segmented.status == 1 && segmented.errors.contains("4194304 pixels at most"), "\(segmented.errors)")
      #expect(segmented.errors.split(separator: "\n").count == 1)
    }
  }
}
