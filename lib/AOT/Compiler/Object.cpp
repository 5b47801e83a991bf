// The object of a kernel: bytes, and functions that hand them to the runtime.
#include "Interface.h"

#include "attn/AOT/Runtime.h"
#include "attn/Target/Object/EmitObject.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Target/TargetMachine.h"

using namespace attn;
using namespace attn::aot;

namespace {
class ObjectBuilder {
public:
  ObjectBuilder(llvm::Module &module, const Interface &interface)
      : module(module), interface(interface), b(module.getContext()),
        pointer(b.getPtrTy()), word(b.getInt64Ty()) {}

  void build() {
    llvm::GlobalVariable *kernels = addKernels();
    for (const EntryPoint &entry : entryPointsOf(interface))
      addFunction(entry, kernels);
  }

private:
  llvm::GlobalVariable *add(llvm::Constant *value, const char *name,
                            bool isConstant) {
    auto *variable = new llvm::GlobalVariable(
        module, value->getType(), isConstant,
        llvm::GlobalValue::InternalLinkage, value, name);
    variable->setAlignment(llvm::Align(16));
    return variable;
  }

  /// attn_aot_kernels.
  llvm::GlobalVariable *addKernels() {
    std::vector<llvm::Constant *> table;
    for (const KernelPackage &package : interface.packages) {
      std::string bytes = package.save();
      llvm::Constant *array = llvm::ConstantDataArray::getString(
          module.getContext(), bytes, /*AddNull=*/false);
      table.push_back(llvm::ConstantStruct::getAnon(
          {add(array, "package", true), b.getInt64(bytes.size())}));
    }
    auto *type = llvm::ArrayType::get(table.front()->getType(), table.size());
    llvm::GlobalVariable *packages =
        add(llvm::ConstantArray::get(type, table), "packages", true);
    return add(llvm::ConstantStruct::getAnon(
                   {b.getInt64(ATTN_AOT_ABI), b.getInt64(table.size()),
                    packages, llvm::ConstantPointerNull::get(pointer)}),
               "kernels", false);
  }

  llvm::Type *typeOf(llvm::StringRef text) {
    if (text.contains('*'))
      return pointer;
    if (text.starts_with("int64_t"))
      return word;
    return text == "void" ? b.getVoidTy()
                          : static_cast<llvm::Type *>(b.getInt32Ty());
  }

  void addFunction(const EntryPoint &entry, llvm::GlobalVariable *kernels) {
    llvm::SmallVector<llvm::Type *> types;
    for (const char *parameter : entry.parameters)
      types.push_back(typeOf(parameter));
    llvm::Type *result = typeOf(entry.result);
    auto *function =
        llvm::Function::Create(llvm::FunctionType::get(result, types, false),
                               llvm::Function::ExternalLinkage,
                               interface.prefix + "_" + entry.name, module);
    llvm::SmallVector<llvm::Value *> arguments;
    if (entry.takesKernels) {
      types.insert(types.begin(), pointer);
      arguments.push_back(kernels);
    }
    for (llvm::Argument &argument : function->args())
      arguments.push_back(&argument);
    llvm::FunctionCallee callee = module.getOrInsertFunction(
        entry.runtime, llvm::FunctionType::get(result, types, false));
    b.SetInsertPoint(
        llvm::BasicBlock::Create(module.getContext(), "", function));
    llvm::CallInst *call = b.CreateCall(callee, arguments);
    if (result->isVoidTy())
      b.CreateRetVoid();
    else
      b.CreateRet(call);
  }

  llvm::Module &module;
  const Interface &interface;
  llvm::IRBuilder<> b;
  llvm::PointerType *pointer;
  llvm::Type *word;
};
} // namespace

Result<std::string> aot::objectOf(const Interface &interface) {
  // These functions suit every CPU of the kind.
  llvm::Expected<mlir::attn::CPUTarget> target =
      mlir::attn::CPUTarget::create("generic");
  if (!target)
    return Error{llvm::toString(target.takeError())};
  llvm::TargetMachine &machine = target->machine();
  llvm::LLVMContext context;
  llvm::Module module(interface.prefix, context);
  module.setDataLayout(machine.createDataLayout());
  module.setTargetTriple(machine.getTargetTriple());
  module.setPICLevel(llvm::PICLevel::BigPIC);
  ObjectBuilder(module, interface).build();

  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager codegen;
  if (machine.addPassesToEmitFile(codegen, stream, nullptr,
                                  llvm::CodeGenFileType::ObjectFile))
    return Error{"LLVM makes no objects for this kind of machine"};
  codegen.run(module);
  return std::string(bytes.begin(), bytes.end());
}
