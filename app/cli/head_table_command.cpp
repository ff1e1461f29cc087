#include "app/cli/commands.h"
#include "app/jobs/model_places.h"

#include <fstream>
#include <nlohmann/json.hpp>

namespace app {

void measureHeads(const CommonOptions& common, const HeadTableArguments& arguments)
{
    const Output output = outputOf(common);
    const auto library = openLibrary(common, OpenMode::ReadOnly);
    const std::string text = library->text(arguments.document);
    // As for "full": whoever has a window for the whole text.
    const auto model = engine::loadModel(usualPreparation({arguments.model, "full"}, text).model,
                                         loadOptions(common));
    const std::string table =
        engine::measureHeadTable(model, text, [&](const engine::PrepareProgress& progress) {
            output.progress(progress.phase + ": " + std::to_string(progress.tokensDone) + " of " +
                            std::to_string(progress.tokensTotal) + " tokens, " +
                            percentText(progress.fraction) + " of all the work");
        });
    output.endProgress();
    std::ofstream file(arguments.out, std::ios::binary | std::ios::trunc);
    file << table;
    file.close();
    if (!file) {
        throw engine::Error(engine::ErrorCode::ReadOnly,
                            "The file \"" + arguments.out +
                                "\" cannot be written. Choose another place with --out.");
    }
    const engine::ModelInfo& info = engine::modelInfo(*model);
    output.value({{"file", arguments.out},
                  {"model", info.name},
                  {"layers", info.layers},
                  {"kv_heads", info.kvHeads}});
    output.line("The heads of " + info.name + ": " + std::to_string(info.layers) + " layers of " +
                std::to_string(info.kvHeads) + " in \"" + arguments.out +
                "\". Use it with prepare --head-table.");
}

} // namespace app
