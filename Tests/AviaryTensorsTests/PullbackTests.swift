import TestSupport
import Testing

@testable import AviaryTensors

@Suite("Gradients as results of networks")
struct PullbackTests {
  private func body(_ x: Tensor, _ others: [Tensor]) -> [Tensor] {
    let product = x.matmul(others[0])
    return [product.square(), product.sum([1]) * others[1]]
  }

  private let point = sample([3, 4])
  private let others = [sample([4, 5], seed: 2), sample([3], seed: 3)]
  private let seeds = [sample([3, 5], seed: 4), sample([3], seed: 5)]

  private var expected: Tensor {
    gradient(at: point) { x in
      zip(body(x, others), seeds).map { ($0 * $1).sum() }.reduce(Tensor(Float(0)), +)
    }
  }

  private func pulled(_ x: Tensor, _ others: [Tensor], _ seeds: [Tensor]) -> Tensor {
    pulledBack(seeds, at: x, beside: others) { x, others in
      let product = x.matmul(others[0])
      return [product.square(), product.sum([1]) * others[1]]
    }
  }

  @Test("the product of seeds and derivative is the gradient of their weighted sum")
  func equalsGradient() {
    #expect(relativeDifference(pulled(point, others, seeds), expected) < 1e-6)
  }

  @Test("in a trace it is one step, which compiles and counts what its function multiplies")
  func traced() {
    let inputs = [point] + others + seeds
    let (result, steps) = Trace.of {
      pulled(.abstract(inputs[0].spec), others.map { .abstract($0.spec) }, seeds.map { .abstract($0.spec) })
    }
    #expect(result.shape == point.shape && steps.count == 1 && steps[0].multiplyAdds == 3 * 4 * 5)
    let graph = CompiledGraph(
      inputs.map(\.spec), algorithms: .direct, weights: { _ in nil },
      capturing: { [pulled($0[0], Array($0[1...2]), Array($0[3...4]))] })
    #expect(relativeDifference(graph(inputs)[0], expected) < 1e-6)
  }

  @Test("it can be taken inside a gradient scope, of which it is no part")
  func nested() {
    let (value, gradients) = valueAndGradients(at: [others[1]]) { scale in
      (pulled(point, others, seeds).detached.sum() * scale[0]).sum()
    }
    #expect(value.item().isFinite)
    #expect(abs(gradients[0].values()[0] - expected.sum().item()) < 1e-3)
  }
}
