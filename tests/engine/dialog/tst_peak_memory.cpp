// Preparing takes at most the weights, the whole document's keys and values in their working type,
// and 300 MB. The model here is nearly nothing but keys and values, so that a second copy of them
// cannot hide.

#include "engine/dialog/context.h"
#include "engine/engine.h"
#include "engine/eval/random_model_file.h"
#include "engine/trace/process_memory.h"
#include "tests/engine/methods/reader_fixture.h"

#include <array>
#include <cstdio>
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace engine;

constexpr std::uint64_t kAllowance = 300'000'000;

/// 512 KiB of keys and values for each token, 3 MB of weights in all.
ModelConfig wideKeys()
{
    ModelConfig config = smallShape();
    config.name = "random weights, wide keys";
    config.layers = 32;
    config.width = 64;
    config.heads = 32;
    config.kvHeads = 32;
    config.headDim = 128;
    config.ffnWidth = 64;
    config.contextLength = 4096;
    return config;
}

struct Peak
{
    std::uint64_t bytes = 0;
    std::uint64_t keysAndValues = 0; // of the whole document
    std::uint64_t weights = 0;
};

Peak preparedPeak(const std::filesystem::path& file, const std::string& method)
{
    const auto model = loadModel(file, {.threads = 2});
    PrepareOptions options;
    options.method = method;
    options.keep = 0.3;
    Preparation preparation(model, tests::makeText(340), options);
    while (preparation.advance())
        preparation.takeCheckpoint();
    const auto context = preparation.finish();
    return {peakResidentBytes(), context->info().bytesFull, modelInfo(*model).fileBytes};
}

/// In a process of its own, so that nothing of an earlier preparation counts.
Peak peakInNewProcess(const std::filesystem::path& file, const std::string& method)
{
    std::array<int, 2> ends{};
    REQUIRE(pipe(ends.data()) == 0);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        Peak peak;
        try {
            peak = preparedPeak(file, method);
        } catch (const Error& error) {
            std::fprintf(stderr, "%s: %s\n", method.c_str(), error.what());
        }
        _exit(write(ends[1], &peak, sizeof peak) == sizeof peak ? 0 : 1);
    }
    close(ends[1]);
    Peak peak;
    REQUIRE(read(ends[0], &peak, sizeof peak) == sizeof peak);
    close(ends[0]);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(status == 0);
    return peak;
}

#ifdef __SANITIZE_ADDRESS__
constexpr bool kFreedIsFree = false; // the sanitizer keeps freed memory for a while
#else
constexpr bool kFreedIsFree = true;
#endif

} // namespace

TEST_CASE("preparing takes at most weights, full keys and values, and 300 MB")
{
    if (peakResidentBytes() == 0 || !kFreedIsFree) {
        MESSAGE("skipped: this system or build does not say how much memory is really needed");
        return;
    }
    const RandomModelFile file(wideKeys(),
                               std::string(BINARY_DIR) + "/resources/constructed-reader.gguf");
    for (const char* method :
         {"full", "kvzip", "snapkv", "streaming-llm", "gemfilter", "minference", "h2o"}) {
        const Peak peak = peakInNewProcess(file.path(), method);
        const std::uint64_t bound = peak.weights + peak.keysAndValues + kAllowance;
        std::printf("%-14s keys and values %4llu MB, peak %4llu MB, bound %4llu MB\n", method,
                    static_cast<unsigned long long>(peak.keysAndValues / 1'000'000),
                    static_cast<unsigned long long>(peak.bytes / 1'000'000),
                    static_cast<unsigned long long>(bound / 1'000'000));
        // Otherwise a second copy would fit into the allowance.
        CHECK(peak.keysAndValues > kAllowance * 3 / 2);
        CHECK(peak.bytes <= bound);
    }
}
