// What a schedule that is given needs of who runs it.
#ifndef ATTN_LIB_LAUNCH_SCHEDULENEEDS_H
#define ATTN_LIB_LAUNCH_SCHEDULENEEDS_H

namespace attn {

/// Of a GPU and of memory; of variants the most.
enum class ScheduleNeeds {
  Nothing,
  SM90a, ///< it is `dependent`
  TMA    ///< it has producers
};

} // namespace attn

#endif // ATTN_LIB_LAUNCH_SCHEDULENEEDS_H
