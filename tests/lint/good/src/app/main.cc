// SPDX-License-Identifier: Apache-2.0
#include "broker/broker.h"

namespace {
struct Table {
  int value = 0;
};

int long_but_allowed(int n) {
  n += 1;   // { not a brace
  n += 2;   // { not a brace
  n += 3;   // { not a brace
  n += 4;   // { not a brace
  n += 5;   // { not a brace
  n += 6;   // { not a brace
  n += 7;   // { not a brace
  n += 8;   // { not a brace
  n += 9;   // { not a brace
  n += 10;  // { not a brace
  n += 11;  // { not a brace
  n += 12;  // { not a brace
  n += 13;  // { not a brace
  n += 14;  // { not a brace
  n += 15;  // { not a brace
  n += 16;  // { not a brace
  n += 17;  // { not a brace
  n += 18;  // { not a brace
  n += 19;  // { not a brace
  n += 20;  // { not a brace
  n += 21;  // { not a brace
  n += 22;  // { not a brace
  n += 23;  // { not a brace
  n += 24;  // { not a brace
  n += 25;  // { not a brace
  n += 26;  // { not a brace
  n += 27;  // { not a brace
  n += 28;  // { not a brace
  n += 29;  // { not a brace
  n += 30;  // { not a brace
  n += 31;  // { not a brace
  n += 32;  // { not a brace
  n += 33;  // { not a brace
  n += 34;  // { not a brace
  n += 35;  // { not a brace
  n += 36;  // { not a brace
  n += 37;  // { not a brace
  n += 38;  // { not a brace
  n += 39;  // { not a brace
  n += 40;  // { not a brace
  n += 41;  // { not a brace
  n += 42;  // { not a brace
  n += 43;  // { not a brace
  n += 44;  // { not a brace
  n += 45;  // { not a brace
  n += 46;  // { not a brace
  n += 47;  // { not a brace
  n += 48;  // { not a brace
  n += 49;  // { not a brace
  n += 50;  // { not a brace
  n += 51;  // { not a brace
  n += 52;  // { not a brace
  n += 53;  // { not a brace
  n += 54;  // { not a brace
  n += 55;  // { not a brace
  n += 56;  // { not a brace
  n += 57;  // { not a brace
  n += 58;  // { not a brace
  n += 59;  // { not a brace
  n += 60;  // { not a brace
  n += 61;  // { not a brace
  n += 62;  // { not a brace
  n += 63;  // { not a brace
  n += 64;  // { not a brace
  n += 65;  // { not a brace
  n += 66;  // { not a brace
  n += 67;  // { not a brace
  return n;
}

char const* braces() { return "}}}"; }
}  // namespace
