import Aviary

/// What is measured: one iteration on a fixed batch, and how much it computes.
struct Workload {
  let batch: Int
  /// Multiply-adds of one iteration.
  let multiplyAdds: Int
  /// What a batch consists of.
  var unit = "images"
  /// Runs once; a training step returns its loss.
  let iterate: () -> Float?

  /// One forward pass of a network of any task.
  static func inference(
    _ loaded: LoadedNetwork, _ inputs: NamedTensors, batch: Int,
    by network: @escaping (NamedTensors) -> NamedTensors
  ) -> Workload {
    loaded.network.evaluate()
    let summary = Summary(of: loaded.network, inputs: inputs)
    return Workload(batch: batch, multiplyAdds: summary.multiplyAdds) {
      _ = network(inputs)
      return nil
    }
  }

  /// One training step: forward pass in training mode, softmax cross-entropy with the labels 0, 1, 2, …, backward pass, and an update by
  /// SGD with momentum and weight decay.
  ///
  /// The learning rate should be small: many steps on one batch must neither diverge nor reach numbers that are slow to compute with.
  static func training(_ loaded: LoadedClassifier, _ input: Tensor, learningRate: Float) -> Workload {
    let model = loaded.model
    let summary = Summary(of: model, inputShape: input.shape)
    let labels = Tensor(
      (0..<input.shape[0]).map { Int64($0 % loaded.labels.count) }, shape: [input.shape[0]])
    let optimizer = SGD(learningRate: learningRate, momentum: 0.9, weightDecay: 1e-4)
    model.train()
    return Workload(batch: input.shape[0], multiplyAdds: summary.trainingMultiplyAdds) {
      let (loss, gradients) = valueAndGradient(of: model) {
        softmaxCrossEntropy(model(input), labels: labels)
      }
      optimizer.update(model, gradients)
      return loss.item()
    }
  }

  /// One step of style transfer by Adam: forward pass, losses, their gradient with respect to the picture, and its update.
  static func stylization(_ loaded: LoadedNetwork, _ inputs: NamedTensors) throws -> Workload {
    var options = StyleTransferOptions()
    options.optimizer = .adam
    options.steps = .max
    options.tile = max(options.tile, inputs["content"].shape[2...].max() ?? 0)
    let transfer = try StyleTransfer(
      loaded, content: inputs["content"], style: inputs["style"], options: options)
    // The convolutions of one picture, forward and for its gradient.
    let summary = Summary(of: loaded.network, inputs: inputs)
    return Workload(batch: 1, multiplyAdds: 2 * summary.multiplyAdds) {
      // A picture that is lost shows in the losses.
      (try? transfer.step())?.total ?? .nan
    }
  }
}

extension Summary {
  /// Multiply-adds of a training step: each operation once forward, and as often again for each gradient that is needed.
  ///
  /// Those are the gradient of its weights when they are trained, and that of its input when something before it is trained. So an
  /// operation in the middle of a trained network counts three times, the first trained one twice, a frozen beginning once.
  var trainingMultiplyAdds: Int {
    let first = rows.firstIndex { $0.multiplyAdds > 0 && $0.parameters > 0 && !$0.isFrozen } ?? rows.endIndex
    return rows.enumerated().reduce(0) { sum, row in
      var passes = 1
      if row.offset >= first && !row.element.isFrozen { passes += 1 }
      if row.offset > first { passes += 1 }
      return sum + passes * row.element.multiplyAdds
    }
  }
}
