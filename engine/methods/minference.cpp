// MInference (Jiang et al. 2024, arXiv 2407.02490; selection.md 3.9): everything is kept, but a
// document is read with a sparse attention. Each query head reads an A-shape (the beginning and the
// last tokens), the columns and distances that its last rows look at (vertical-slash), or the
// blocks whose mean key suits the mean query (block-sparse). Saves time of reading long documents,
// not memory. Questions and answers are dense.
//
// Deviations: a document is read in pieces, and the patterns are estimated anew at the end of each
// from its own last rows; which of the paper's candidates a head uses is decided there, too, by the
// share of attention that it covers, instead of by a search on another text beforehand. Columns and
// slashes are widened to whole pages of 64 tokens where that is cheaper.

#include "engine/methods/sparse_prefill.h"

namespace engine {

MethodEntry minferenceMethod()
{
    return {.info = {.id = "minference",
                     .title = "MInference",
                     .description =
                         "Keeps everything, but reads long documents faster: every head attends "
                         "only to what its last tokens looked at. Worthwhile from some 10,000 "
                         "tokens on.",
                     .source = "Jiang et al. 2024, arXiv 2407.02490",
                     .queryAgnostic = true,
                     .parameters = sparsePrefillParameters(),
                     .usesKeep = false},
            .make = [](const DocumentPlan& plan) { return readSparsely(fullMethod().make, plan); },
            .keepsPinned = true};
}

} // namespace engine
