// HOMER's bias table: measured with the first document of a model, found again with the next, and
// no reason for an unfinished preparation to lose its blocks.

#include "app/jobs/bias_table_folder.h"
#include "app/jobs/prepare_document.h"
#include "tests/app/library/sample_document.h"
#include "tests/app/store/temporary_folder.h"
#include "tests/engine/methods/reader_fixture.h"

#include <doctest/doctest.h>
#include <fstream>

namespace {

namespace fs = std::filesystem;
using app::PreparedDocument;
using app::PrepareStatus;
using app::RecordId;

constexpr const char* kKey = "0123";

struct Shelf
{
    tests::TemporaryFolder folder;
    std::unique_ptr<app::Library> library = app::Library::open(folder.path());
    app::LibraryPrepareStorage storage{*library};
    std::shared_ptr<engine::LoadedModel> model = tests::loadReader();
    engine::PrepareOptions options;

    Shelf()
    {
        options.method = "homer";
        options.settings = {{"chunk", 512}, {"samples", 1}};
    }

    RecordId add(std::string_view mark)
    {
        return library->addDocument(tests::sampleDocument(mark), "sample.pdf").id;
    }

    PreparedDocument prepare(RecordId document, const std::string& text,
                             const std::function<void(const PrepareStatus&)>& onProgress = {},
                             const std::stop_token& stop = {})
    {
        return app::prepareDocument(storage, document, text, model, options, onProgress, stop);
    }

    /// Does one block and is stopped.
    void begin(RecordId document, const std::string& text)
    {
        std::stop_source source;
        int reports = 0;
        const auto stopAfterOne = [&](const PrepareStatus&) {
            if (++reports == 2)
                source.request_stop();
        };
        CHECK_THROWS_AS(prepare(document, text, stopAfterOne, source.get_token()), engine::Error);
    }
};

std::string segmentsOf(const engine::Context& context)
{
    std::string all;
    for (std::size_t i = 1; i < engine::segmentCount(context); ++i) {
        const auto segment = engine::writeSegment(context, i);
        all.append(reinterpret_cast<const char*>(segment.data()), segment.size());
    }
    return all;
}

} // namespace

TEST_CASE("a table is found again, with the time when it was measured, until it is withheld")
{
    const tests::TemporaryFolder folder;
    app::BiasTableFolder tables(folder.path() / "tables");
    CHECK(tables.find(kKey).empty());
    CHECK(!tables.foundFrom());
    tables.keep(kKey, "numbers");
    CHECK(tables.hasKept());
    app::BiasTableFolder later(folder.path() / "tables");
    CHECK(later.find(kKey) == "numbers");
    CHECK(later.foundFrom().value_or(0) > 1'700'000'000'000);
    CHECK(later.find("other").empty());
    CHECK(!later.foundFrom());
    later.withhold();
    CHECK(later.find(kKey).empty());
    CHECK(std::distance(fs::directory_iterator(folder.path() / "tables"), {}) == 1);
}

TEST_CASE("where no table can be kept, that is said and nothing else goes wrong")
{
    const tests::TemporaryFolder folder;
    std::ofstream(folder.path() / "tables") << "a file where the folder should be";
    app::BiasTableFolder tables(folder.path() / "tables");
    tables.keep(kKey, "numbers");
    CHECK(!tables.hasKept());
    CHECK(tables.warning().starts_with("The bias table could not be kept"));
}

TEST_CASE("the second document of a model uses the table that was measured on the first")
{
    Shelf shelf;
    const PreparedDocument first = shelf.prepare(shelf.add("first"), tests::makeText(260));
    CHECK(first.keptBiasTable);
    CHECK(!first.biasTableFrom);
    const PreparedDocument second = shelf.prepare(shelf.add("second"), tests::makeText(250, 2));
    CHECK(!second.keptBiasTable);
    CHECK(second.biasTableFrom);
    CHECK(engine::biasTable(*second.context) == engine::biasTable(*first.context));
    shelf.options.method = "full";
    shelf.options.settings = {};
    const PreparedDocument full = shelf.prepare(shelf.add("third"), tests::makeText(50));
    CHECK(!full.keptBiasTable);
    CHECK(!full.biasTableFrom);
}

TEST_CASE("an unfinished preparation goes on as it began, whatever was measured meanwhile")
{
    Shelf shelf;
    const std::string text = tests::makeText(260);
    const std::string other = tests::makeText(250, 2);
    const std::string own = segmentsOf(*shelf.prepare(shelf.add("undisturbed"), text).context);
    fs::remove_all(shelf.folder.path() / "tables");

    const RecordId document = shelf.add("stopped");
    shelf.begin(document, text); // it has measured, and kept nothing yet
    CHECK(!fs::exists(shelf.folder.path() / "tables"));
    CHECK(shelf.prepare(shelf.add("meanwhile"), other).keptBiasTable);
    bool resumed = false;
    const auto watch = [&](const PrepareStatus& status) { resumed = status.resumed; };
    const PreparedDocument ended = shelf.prepare(document, text, watch);
    CHECK(resumed);
    CHECK(!ended.biasTableFrom);
    CHECK(segmentsOf(*ended.context) == own);

    // One that began with a kept table goes on with it.
    const RecordId next = shelf.add("next");
    shelf.begin(next, other);
    resumed = false;
    CHECK(shelf.prepare(next, other, watch).biasTableFrom);
    CHECK(resumed);
}
