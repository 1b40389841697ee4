import Testing
@testable import AviaryTensors
