#pragma once

#include "engine/engine.h"
#include "engine/eval/shared_readings.h"
#include "engine/eval/tasks.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace engine {

struct EvalOptions
{
    std::vector<std::string> methods; // ids, with stages; empty: every query-agnostic one
    std::vector<double> keep{0.5, 0.25, 0.1};
    std::vector<std::uint64_t> lengths{4096, 16384}; // tokens of a document at most
    std::vector<std::string> tasks;                  // empty: those that need no trained model
    std::uint32_t questions = 10;                    // of each task, about each document
    std::uint32_t documents = 1;                     // of each length
    std::uint64_t seed = 1;
    KvType store = KvType::Kivi4;
    std::map<std::string, double> settings; // of every method, as PrepareOptions has them
    bool withQuestion = false; // each question is known before the document is read for it
    std::string corpus;        // text between the facts; empty: made-up sentences
    std::string corpusName;    // of the corpus, for the record
};

/// What one method did at one task: a row of the table.
struct EvalCell
{
    std::string task;
    std::uint64_t length = 0; // as asked for
    std::string method;
    double keep = 1;             // as asked for; 1 where the method does not look at it
    std::uint32_t documents = 0; // prepared
    std::uint64_t tokens = 0;    // of a document, mean
    std::uint32_t questions = 0; // asked
    std::uint32_t exact = 0;     // answered exactly
    double f1 = 0;               // mean over the questions
    double keptFraction = 0;     // measured, mean over the documents, as the following
    std::uint64_t bytesStored = 0;
    std::uint64_t bytesFull = 0;
    double prepareSeconds = 0;
    double askSeconds = 0; // for a question, mean
    std::string refusal;   // why the method could not be run; then nothing was asked
};

/// A method at one length and one keep: each of its documents is prepared once, and asked all
/// questions of all tasks afterwards; or prepared for each question, where these are known before.
struct EvalUnit
{
    std::uint64_t length = 0;
    std::string method;
    double keep = 1;
};

/// One question of a unit and what was said to it.
struct EvalAnswer
{
    EvalUnit unit;
    std::string task;
    std::uint32_t document = 0; // from 0
    std::string question;
    std::string wanted; // the first of what is accepted
    std::string said;
    bool isExact = false;
    double f1 = 0;
};

struct EvalUnitResult
{
    std::vector<EvalCell> cells;     // one for each task
    std::vector<EvalAnswer> answers; // in the order of asking; none when the method refused
};

struct EvalProgress
{
    EvalUnit unit;
    std::string phase;
    double fraction = 0; // of the unit
};

/// The units that the options describe, shortest documents first. Methods that do not look at keep
/// have one unit a length. Throws BadInput naming what is not allowed.
std::vector<EvalUnit> evalUnits(const EvalOptions& options);

/// The tasks that the options describe. Throws BadInput.
std::vector<std::string> evalTaskIds(const EvalOptions& options);

/// Runs one unit through the engine's public interface. A method that refuses the document gives
/// cells with its reason. Throws Error for what no method is to blame for. readings: of the same
/// model, shared by the units.
EvalUnitResult runEvalUnit(const std::shared_ptr<LoadedModel>& model, SharedReadings& readings,
                           const EvalOptions& options, const EvalUnit& unit,
                           const std::function<void(const EvalProgress&)>& onProgress);

} // namespace engine
