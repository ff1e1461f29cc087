#include "app/jobs/model_places.h"

#include "engine/engine.h"

#include <cstdlib>
#include <optional>
#include <string>

namespace app {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConstructedReader = "constructed-reader.gguf";
constexpr const char* kTrainedReader = "reader.gguf";
constexpr const char* kBeaconReader = "reader-beacon.gguf"; // with trained beacons beside it
constexpr const char* kForShortTexts = "full";              // by the trained reader
constexpr const char* kForLongTexts = "parallel-windows";
constexpr const char* kWithBeacons = "activation-beacon"; // by the beacon reader

constexpr std::uint64_t kRoomForConversation = 512; // tokens of the window
// A window of "parallel-windows" is this part of the model's. Should that change there, nothing
// breaks: a text in one window is read as "full" reads it.
constexpr std::uint64_t kWindowsOfModel = 4;
constexpr std::size_t kMostBytesOfToken = 8; // on average: a longer text need not be counted

fs::path environment(const char* name)
{
    const char* value = std::getenv(name);
    return value == nullptr ? fs::path() : fs::path(value);
}

struct TextLength
{
    std::uint64_t tokens = 0;
    std::uint64_t window = 0; // of the model, in tokens

    bool fitsModel() const { return tokens + kRoomForConversation <= window; }
    bool fitsOneOfWindows() const { return tokens <= window / kWindowsOfModel; }
};

/// Nothing when the model's file is missing or no model.
std::optional<TextLength> lengthOf(std::string_view text, const fs::path& model)
{
    try {
        const std::uint64_t window = engine::readModelInfo(model).contextLength;
        if (text.size() > window * kMostBytesOfToken)
            return TextLength{text.size() / kMostBytesOfToken, window};
        return TextLength{engine::openTokenizer(model)
                              ->encode(text, engine::SpecialTokens::AsText, false)
                              .ids.size(),
                          window};
    } catch (const engine::Error&) {
        return std::nullopt;
    }
}

bool isOwnReader(const fs::path& model)
{
    const fs::path name = model.filename();
    return name == kConstructedReader || name == kTrainedReader || name == kBeaconReader;
}

/// Without a method that was chosen.
std::string usualMethod(const fs::path& model, std::string_view text)
{
    const std::optional<TextLength> length = lengthOf(text, model);
    if (length && !length->fitsModel()) // where there is no answer, loading it says why
        return kForLongTexts;
    if (model.filename() == kTrainedReader)
        return length && !length->fitsOneOfWindows() ? kForLongTexts : kForShortTexts;
    return model.filename() == kBeaconReader ? kWithBeacons : engine::PrepareOptions{}.method;
}

} // namespace

std::vector<fs::path> modelFolders(const fs::path& dataDirectory)
{
    std::vector<fs::path> folders;
    const auto add = [&](const fs::path& base, const fs::path& below) {
        if (!base.empty())
            folders.push_back(base / below);
    };
    const fs::path home = environment("HOME");
    folders.push_back(dataDirectory / "models");
    add(environment("HF_HUB_CACHE"), "");
    add(environment("HF_HOME"), "hub");
    add(home, ".cache/huggingface/hub");
    add(home, ".lmstudio/models");
    add(home, ".cache/lm-studio/models");
    add(home, ".local/share/nomic.ai/GPT4All");
    add(environment("OLLAMA_MODELS"), "blobs");
    add(home, ".ollama/models/blobs");
    add(environment("LLAMA_CACHE"), "");
    add(home, ".cache/llama.cpp");
    return folders;
}

fs::path embeddedModel()
{
    std::error_code ignored;
    const fs::path program = fs::read_symlink("/proc/self/exe", ignored).parent_path();
    const fs::path name = kConstructedReader;
    for (const fs::path& place : {program / "resources" / name, program / ".." / "resources" / name,
                                  program / ".." / ".." / "resources" / name,
                                  program / ".." / "share" / "epitome" / "models" / name}) {
        if (fs::exists(place, ignored))
            return fs::weakly_canonical(place, ignored);
    }
    throw engine::Error(
        engine::ErrorCode::NotFound,
        "The reader that comes with Epitome (" + name.string() +
            ") is missing. Build or install Epitome again, or choose a model file.");
}

ModelAndMethod usualPreparation(const ModelAndMethod& chosen, std::string_view text)
{
    const auto methodOr = [&](const std::string& usual) {
        return chosen.method.empty() ? usual : chosen.method;
    };
    if (!chosen.model.empty() && !chosen.method.empty())
        return chosen;
    if (!chosen.model.empty())
        return {chosen.model, usualMethod(chosen.model, text)};
    const std::string general = methodOr(engine::PrepareOptions{}.method);
    const fs::path constructed = embeddedModel();
    const fs::path withBeacons = constructed.parent_path() / kBeaconReader;
    std::error_code ignored;
    if (chosen.method == kWithBeacons && fs::exists(withBeacons, ignored))
        return {withBeacons, kWithBeacons};
    const fs::path trained = constructed.parent_path() / kTrainedReader;
    const std::optional<TextLength> length = lengthOf(text, trained);
    if (!length)
        return {constructed, general};
    const std::string method =
        methodOr(length->fitsOneOfWindows() ? kForShortTexts : kForLongTexts);
    if (length->fitsModel() || method == kForLongTexts)
        return {trained, method};
    return {constructed, general};
}

fs::path movedModel(const fs::path& chosen)
{
    std::error_code ignored;
    if (!isOwnReader(chosen) || fs::exists(chosen, ignored))
        return chosen;
    try {
        return embeddedModel().parent_path() / chosen.filename();
    } catch (const engine::Error&) {
        return chosen;
    }
}

std::string readerLimits(const fs::path& model)
{
    std::string limits;
    if (model.filename() == kConstructedReader)
        limits = "This reader continues a quotation: give it the beginning of a passage, at least "
                 "three words";
    else if (isOwnReader(model))
        limits = "This reader quotes: ask what is said about words that stand in the text";
    else
        return {};
    return limits + "; for other questions choose a larger model (any GGUF file of a chat model of "
                    "the kinds llama or qwen2).";
}

} // namespace app
