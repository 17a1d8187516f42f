// The one equation, and the operators that it becomes once it has met points.
#pragma once

#include <likewise/mechanism_value.hpp>
#include <likewise/operator.hpp>  // what self_operator and cross_operator return
