#pragma once
#include <string>
#include <string_view>
#include <vector>

#include <ember/ember.h>

/// Solids in a cube of voxels, to be told apart by their form; 16 x 16 x 16 numbers each.
///
/// Inside a solid a voxel is bright, outside dark. Place, size, stretch along each axis, orientation (any rotation) and
/// brightness are drawn anew for each volume; some voxels inside are missing, some outside are lit, and all carry
/// noise. So no voxel means anything by itself, and the nearest volume is rather one in the same place than of the same
/// form.
constexpr ember::i64 volumeSide = 16;

/// `count` volumes [1, 16, 16, 16] with labels. Sample i is a function of (seed, part, i): "train" and "test" share
/// none.
ember::data::TensorDataset makeVolumes(ember::u64 seed, std::string_view part, ember::i64 count);

/// A volume as one looks through it from the front, its depth added up: 8 lines of 16 characters, from blank to @.
std::vector<std::string> drawVolume(const float* volume);
