#pragma once

#include "engine/methods/method.h"
#include "tests/app/store/temporary_folder.h"
#include "tests/engine/methods/beacon_checkpoint.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace tests {

/// A synthetic model on disk with its beacons beside it, loaded.
class BeaconModel
{
public:
    explicit BeaconModel(const BeaconSpec& spec);

    const BeaconCheckpoint& checkpoint() const { return m_checkpoint; }
    const std::shared_ptr<engine::LoadedModel>& model() const { return m_model; }
    std::filesystem::path folder() const { return m_folder.path(); }

    /// A plan over tokens, with a float32 store in mind.
    engine::DocumentPlan plan(std::vector<std::int32_t> prefix, std::vector<std::int32_t> document,
                              std::map<std::string, double> settings,
                              std::uint32_t blockRows = 512) const;

private:
    TemporaryFolder m_folder;
    BeaconCheckpoint m_checkpoint;
    std::shared_ptr<engine::LoadedModel> m_model;
};

/// What one run of the method left.
struct BeaconRun
{
    engine::KvStore store;
    std::vector<engine::Job> jobs;                // as they were run
    std::vector<std::vector<float>> logits;       // after each token of the text
    std::vector<std::vector<float>> beaconLogits; // at each beacon
    std::vector<std::byte> artefactState;
};

/// A plan over tokens for a model with beacons beside it, which must outlive it; a float32 store is
/// in mind.
engine::DocumentPlan beaconPlan(engine::LoadedModel& model, std::vector<std::int32_t> prefix,
                                std::vector<std::int32_t> document,
                                std::map<std::string, double> settings,
                                std::uint32_t blockRows = 512);

/// Runs the method on a plan with float32 keys and values, all logits kept.
BeaconRun runBeacon(engine::LoadedModel& model, const engine::DocumentPlan& plan);
BeaconRun runBeacon(const BeaconModel& model, const engine::DocumentPlan& plan);

/// `count` tokens of the synthetic vocabulary.
std::vector<std::int32_t> someTokens(std::size_t count, std::uint32_t seed = 7);

/// The largest difference, relative where the numbers are above one; REQUIREs equal sizes.
double worstDifference(const std::vector<std::vector<float>>& a,
                       const std::vector<std::vector<float>>& b);

} // namespace tests
