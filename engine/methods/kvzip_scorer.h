#pragma once

#include "engine/methods/competition.h"
#include "engine/methods/repeating_method.h"

#include <string>

namespace engine {

/// Pairs with the largest scores of a repetition stay, as the stages say.
class KvzipScorer : public RepeatingMethod
{
public:
    KvzipScorer(const DocumentPlan& plan, const std::string& name);

    std::vector<std::string> warnings() const final { return m_competition.warnings(); }

protected:
    void finish(KvStore& store) final { m_competition.decide(store, takeScores()); }

private:
    Competition m_competition;
};

/// Settings of KVzip and KVzip+.
std::vector<MethodParameter> kvzipParameters();

} // namespace engine
