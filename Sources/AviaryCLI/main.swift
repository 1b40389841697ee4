import Aviary
import Foundation

// libgomp reads its settings when it is loaded, before `main`: to change them the program starts itself again, once. What users set
// stands; where they bound threads to cores, libgomp has bound this one already, and a new start would find no other core.
let settings = ["GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"]
if settings.allSatisfy({ getenv($0) == nil }) {
  // A thread that waits longer for the others than this gives its core up. Short kernels want long waiting (EfficientNet-B0 on two idle
  // cores: 800 turns 8.1 ms, 5000 7.7, 20000 7.4); beside a busy program it is lost time until the network goes on on fewer threads
  // (MobileNet v1 on average: 800 turns 11.2 ms, 5000 11.4, 20000 11.8).
  setenv("GOMP_SPINCOUNT", "5000", 1)
  // oneDNN's batch normalization waits for the other threads without ever giving its core up. Beside a busy program the system often
  // puts two threads on one core then, and one waits in the other's time: a training step of ResNet-18 on two cores takes 1620 ms,
  // bound to a core each 1060 ms, and 555 ms on an idle machine either way.
  let words = Set(CommandLine.arguments.dropFirst())
  if !words.isDisjoint(with: ["train", "finetune", "--train"]), Parallel.usesAllCores {
    setenv("OMP_PROC_BIND", "true", 1)
  }
  var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
  execv("/proc/self/exe", &arguments)
  // Only reached where there is no such file: the settings are then simply not in force.
}

exit(Program.run(Array(CommandLine.arguments.dropFirst())))
