@_exported import AviaryLayers
@_exported import AviaryTensors
@_exported import AviaryTraining
@_exported import AviaryVision
@_exported import AviaryWeights
@_exported import AviaryZoo
