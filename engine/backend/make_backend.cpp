#include "engine/backend/backend.h"
#include "engine/engine.h"

#include <algorithm>
#include <thread>

namespace engine {

std::unique_ptr<Backend> makeBackend(Device device, unsigned threads,
                                     kernels::cpu::Activations activations)
{
    if (device == Device::Cuda) {
        throw Error(ErrorCode::Unsupported,
                    "This build of Epitome has no CUDA backend, so the GPU cannot be used. Ask for "
                    "the device \"cpu\" or \"auto\".");
    }
    const unsigned all = std::max(1U, std::thread::hardware_concurrency());
    return makeCpuBackend(threads == 0 ? all : threads, activations);
}

} // namespace engine
