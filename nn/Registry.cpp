#include <ember/nn/Registry.h>

#include <map>
#include <mutex>
#include <typeindex>

#include <ember/core/Error.h>
#include <ember/core/io/Text.h>
#include <ember/nn/Pattern.h>
#include <ember/nn/layers/Layers.h>
#include <ember/nn/models/Blocks.h>
#include <ember/nn/models/MobileNetV2.h>

namespace ember::nn {
namespace {

struct Registry {
  std::mutex mutex;
  std::map<std::string, std::pair<std::type_index, ModuleFactory>, std::less<>> byName;
  std::map<std::type_index, std::string> names;
};

Registry& registry() {
  static Registry* instance = [] {
    auto* r = new Registry;
    const auto put = [&](const char* name, const std::type_info& type, ModuleFactory factory) {
      r->byName.emplace(name, std::pair(std::type_index(type), std::move(factory)));
      r->names.emplace(type, name);
    };
#define EMBER_LAYER(Type)  \
  put(#Type, typeid(Type), \
      [](const Args& args) -> std::unique_ptr<Module> { return std::make_unique<Type>(Type::fromArgs(args)); });
#include <ember/nn/Layers.def>
#undef EMBER_LAYER
    return r;
  }();
  return *instance;
}

}  // namespace

void registerModule(std::string_view name, const std::type_info& type, ModuleFactory factory) {
  if (name.empty() || !factory) {
    throw ValueError("registerModule",
                     name.empty() ? "the name is empty" : "the factory of \"" + std::string(name) + "\" is empty");
  }
  Registry& r = registry();
  const std::lock_guard lock(r.mutex);
  if (const auto entry = r.byName.find(name); entry != r.byName.end()) {
    if (entry->second.first != std::type_index(type)) {
      throw ValueError("registerModule", "the name \"" + std::string(name) + "\" belongs to another type", {},
                       "choose another name");
    }
    entry->second.second = std::move(factory);
    return;
  }
  r.byName.emplace(std::string(name), std::pair(std::type_index(type), std::move(factory)));
  r.names[type] = std::string(name);
}

std::vector<std::string> registeredTypes() {
  Registry& r = registry();
  const std::lock_guard lock(r.mutex);
  std::vector<std::string> names;
  for (const auto& [name, value] : r.byName) names.push_back(name);
  return names;
}

std::string registeredName(const std::type_info& type) {
  Registry& r = registry();
  const std::lock_guard lock(r.mutex);
  const auto entry = r.names.find(type);
  return entry == r.names.end() ? std::string() : entry->second;
}

namespace {

// Names are searched one after the other when a child is added: a million would take hours.
constexpr i64 maxModules = 10'000;

thread_local BuildScope* building = nullptr;

[[noreturn]] void tooMany(const char* what) {
  throw ValueError("build", what, {}, "at most 10,000 modules make a net; write one module that holds many tensors");
}

}  // namespace

BuildScope::BuildScope() noexcept : outer_(building) { building = this; }
BuildScope::~BuildScope() { building = outer_; }

std::string BuildScope::path() const {
  std::string text;
  for (const std::string& name : names_) text += (text.empty() ? "" : ".") + name;
  text = names_.empty() ? "the net itself" : io::inQuotes(text);
  return type_.empty() ? text : text + " (" + io::inQuotes(type_) + ")";
}

void BuildScope::restart() noexcept {
  names_.clear();
  type_.clear();
  modules_ = 0;
}

std::unique_ptr<Module> buildChild(const Value& entry) {
  BuildScope* scope = building;
  if (!scope) return build(entry);
  scope->type_.clear();
  scope->names_.push_back(entry.get<std::string>("name"));
  std::unique_ptr<Module> child = build(entry);
  scope->names_.pop_back();  // not where it throws: the path is wanted then
  scope->type_.clear();
  return child;
}

void checkBuildable(const Module& net) {
  const auto modules = net.namedModules();
  if (static_cast<i64>(modules.size()) > maxModules) tooMany("the net has more modules than a file may hold");
  for (const auto& [path, module] : modules) {
    if (const auto* graph = dynamic_cast<const Graph*>(module)) graph->check();
  }
}

std::unique_ptr<Module> build(const Value& architecture) {
  const auto type = architecture.get<std::string>("type");
  if (building) {
    building->type_ = type.substr(0, 100);
    if (++building->modules_ > maxModules) tooMany("the architecture has more modules than a net may have");
  }
  ModuleFactory factory;
  {
    Registry& r = registry();
    const std::lock_guard lock(r.mutex);
    if (const auto entry = r.byName.find(type); entry != r.byName.end()) {
      factory = entry->second.second;
    }
  }
  if (!factory) {
    throw ValueError("build", "unknown module type \"" + type + "\"", {{"types", nearestHint(type, registeredTypes())}},
                     "call nn::registerModule(\"" + type +
                         "\", factory) first, or build the net in code and load() the file into it");
  }
  if (!architecture.has("args")) {
    throw ValueError(
        "build",
        "the module type \"" + type + "\" was not registered when it was saved, so its arguments are not known", {},
        "build the net in code and load() the file into it");
  }
  return factory(architecture.at("args"));
}

Value describeChildren(const Module& container) {
  Value list = Value::array();
  for (std::size_t i = 0; i < container.childCount(); ++i) {
    Value entry{{"name", container.child(i).name()}};
    const Value architecture = container.child(i).architecture();
    for (const auto& [key, value] : architecture.members()) entry.set(key, value);
    list.push(std::move(entry));
  }
  return list;
}

void addChildren(Module& container, const Value& list) {
  for (const Value& entry : list.elements()) container.addChild(entry.get<std::string>("name"), buildChild(entry));
}

}  // namespace ember::nn
