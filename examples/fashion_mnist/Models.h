#pragma once
#include <memory>
#include <string_view>

#include <ember/ember.h>

/// The net of that name in recipes(), for [N, 1, 28, 28] -> [N, 10].
std::unique_ptr<ember::nn::Module> makeModel(std::string_view name);
